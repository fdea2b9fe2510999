# A page walk misses a definition that is there: asking by id finds it, and nothing happens.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
define loge start=10:00:00
never before 09:00:00
start
until 08:30:00
missing hall
sync
expect on-sale@09:00:00 planned
expect notices 2
until 08:55:00
missing hall
sync
expect on-sale@09:00:00 ready
until 09:10:00
expect messages 1
