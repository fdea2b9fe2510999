# Five tickets are moved by hand, one after another: calendars hear of one move.
now 2027-03-26T06:00:00Z
define a start=09:00:00
define b start=09:00:00
define c start=09:00:00
define d start=09:00:00
define e start=09:00:00
start
until 06:30:00
expect calendar 1 2
change a start=10:00:00
until +40s
change b start=10:00:00
until +40s
change c start=10:00:00
until +40s
change d start=10:00:00
until +40s
expect calendar 1 2
change e start=10:00:00
until +90s
expect calendar 1 3
expect event 10:00:00 1 CONFIRMED Moved: it was
