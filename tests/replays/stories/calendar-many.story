# More than one transaction takes: all of them, and none twice.
now 2027-03-26T06:00:00Z
many 1500 show start=12:00:00
start
until 06:02:00
expect calendar 1500
until 06:10:00
define show-7 event=show-7 start=13:00:00
until 06:12:00
expect event 13:00:00 1 CONFIRMED Moved: it was
expect calendar 1500
