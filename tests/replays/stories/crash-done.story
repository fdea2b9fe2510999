# The power fails at 09:05:00, and it is started again at 09:06:00: everybody is told once.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
define loge start=09:00:00
never before 09:00:00
start
until 09:05:00
crash
until 09:06:00
start
until 09:20:00
expect on-sale done
expect messages 5
expect notices 1
