# What was shown is there when the daemon is, without asking the shop; what moved meanwhile is shown when it is known.
now 2027-03-26T06:00:00Z
define hall start=12:00:00
define club event=other start=13:00:00
start
until 06:10:00
expect calendar 2 2
stop
change hall start=12:30:00
silent
start
expect calendar 2 2
expect event 12:00:00 0 CONFIRMED
until 06:30:00
expect calendar 2 2
answering
until 06:40:00
expect event 12:30:00 1 CONFIRMED Moved: it was
expect event 13:00:00 0 CONFIRMED
crash
start
expect event 12:30:00 1 CONFIRMED
until 06:50:00
expect calendar 2 3
