# A year ahead: nothing is missed by it.
now 2027-03-26T08:00:00Z
dated
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
step +365d
until +5m
expect frozen yes
expect on-sale planned
step -365d
until 08:37:00
never before 09:00:00
until 09:01:00
expect messages 1
