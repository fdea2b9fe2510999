# A clock that is set back within the minute of quiet: the calendar does not wait for that hour to come again.
now 2027-03-26T06:00:00Z
dated
define hall start=12:00:00
start
until 06:10:00
change hall start=13:00:00
sync
until 06:10:30
expect event 12:00:00 0 CONFIRMED
step -3h
until +5m
expect event 13:00:00 1 CONFIRMED Moved: it was
