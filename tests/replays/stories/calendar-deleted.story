# A ticket that is deleted takes its opening along; made anew it is another one.
now 2027-03-26T06:00:00Z
define hall start=12:00:00
start
until 06:10:00
change hall deleted=yes
until 06:20:00
sync 2
until 06:30:00
expect event 12:00:00 1 CANCELLED SUMMARY:Withdrawn
expect calendar 1 3
define hall2 start=14:00:00
until 06:40:00
expect event 12:00:00 1 CANCELLED
expect event 14:00:00 0 CONFIRMED
expect calendar 2 4
