# The power fails at 08:59:50, and it is started again at 09:00:10: everybody is told once.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
define loge start=09:00:00
never before 09:00:00
start
until 08:59:50
crash
until 09:00:10
start
until 09:20:00
expect on-sale done
expect messages 5
expect notices 1
