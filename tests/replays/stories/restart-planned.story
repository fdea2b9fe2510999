# Stopped at 08:30:00 and started again at 08:40:00: everybody is told once.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
define loge start=09:00:00
never before 09:00:00
start
until 08:30:00
stop
until 08:40:00
start
until 09:20:00
expect on-sale done
expect messages 5
expect notices 1
