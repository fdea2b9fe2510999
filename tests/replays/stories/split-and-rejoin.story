# One definition leaves for another hour and comes back before anybody was told: one message, at the first hour.
now 2027-03-26T06:00:00Z
person ann@example.org
define hall start=09:00:00
define loge start=09:00:00
never before 09:00:00
start
expect openings 1
until 07:00:00
change loge start=10:00:00
until 07:30:00
expect notices 2
expect openings 2
change loge start=09:00:00
until 08:00:00
expect notices 1
expect no on-sale@10:00:00
expect openings 1
expect opening 09:00:00 2 1
until 11:00:00
expect messages 1
expect on-sale@09:00:00 done
