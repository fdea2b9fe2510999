# A shop that does not answer, and one that loses everything for a walk, takes nothing out of a calendar.
now 2027-03-26T06:00:00Z
define hall start=12:00:00
start
until 06:10:00
silent
until 08:10:00
expect calendar 1 2
answering
missing hall
sync
until 08:30:00
expect event 12:00:00 0 CONFIRMED
expect calendar 1 2
