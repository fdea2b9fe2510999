# Held long before its people are read, released in time: as if nothing had been.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:10:00
hold on-sale
until 09:05:00
expect messages 0
release on-sale
until 09:06:00
expect messages 1
