# Nobody was on the list at the first read; the read right before the moment finds people: they are told.
now 2027-03-26T08:00:00Z
define hall start=09:00:00
start
until 08:55:00
expect on-sale ready
crowd 3
until 09:01:00
expect messages 3
expect on-sale done
