# One definition leaves for another hour for good: that is another sale, told at its own time.
now 2027-03-26T06:00:00Z
person ann@example.org
define hall start=09:00:00
define loge start=09:00:00
start
until 07:00:00
change loge start=10:00:00
until 09:30:00
expect messages 1
expect on-sale@09:00:00 done
until 10:30:00
expect messages 2
expect first on-sale@10:00:00 10:00:00
