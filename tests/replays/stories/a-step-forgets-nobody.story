# Somebody sets the clock a year ahead: nobody is forgotten by it.
now 2027-03-26T08:00:00Z
dated
crowd 3
define hall start=09:00:00
start
until 09:01:00
expect on-sale done
step +365d
until +3h
expect frozen yes
expect people on-sale 3
step -365d
until +3h
expect people on-sale 3
