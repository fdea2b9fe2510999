# Put together while the people of both are being read: the one that stays keeps its own.
now 2027-03-26T06:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
define loge start=09:05:00
never before 09:00:00
start
until 08:58:00
expect on-sale@09:00:00 ready
expect on-sale@09:05:00 ready
change loge start=09:00:00
until 12:00:00
expect messages 2
expect on-sale@09:05:00 withdrawn moved
