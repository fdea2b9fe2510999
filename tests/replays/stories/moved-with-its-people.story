# The sale moves by ten minutes when its people are already gathered: they go with it and are not read twice for that.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:55:00
expect reads on-sale@09:00:00 1
change hall start=09:10:00
never before 09:10:00
until 09:05:00
expect on-sale@09:00:00 withdrawn moved
expect reads on-sale@09:10:00 1
until 09:11:00
expect messages 2
expect on-sale@09:10:00 done
