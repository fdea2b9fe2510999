# A clock that is a year ahead empties no calendar.
now 2027-03-26T06:00:00Z
dated
define hall start=12:00:00
start
until 06:10:00
expect calendar 1 2
step +8760h
until +20m
expect calendar 1
