# The power fails within the minute, and again right behind it: shown once, with one number.
now 2027-03-26T06:00:00Z
define hall start=12:00:00
start
until 06:10:00
change hall start=13:00:00
until 06:10:40
crash
start
expect event 12:00:00 0 CONFIRMED
until 06:11:41
crash
start
expect event 13:00:00 1 CONFIRMED
until 06:20:00
expect event 13:00:00 1 CONFIRMED
expect calendar 1 3
