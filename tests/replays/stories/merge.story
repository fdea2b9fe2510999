# Two sales of an event are put together: one message.
now 2027-03-26T06:00:00Z
person ann@example.org
define hall start=09:00:00
define loge start=10:00:00
never before 09:00:00
start
expect notices 2
expect openings 2
until 07:00:00
change loge start=09:00:00
until 12:00:00
expect messages 1
expect on-sale@10:00:00 withdrawn moved
expect on-sale@09:00:00 done
expect openings 1
