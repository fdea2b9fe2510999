# The power fails again and again within a second: what was claimed before counts against the rate, so nobody gets more
# than they would have without.
now 2027-03-26T08:00:00Z
notifier rate: 20/s
crowd 100
define hall start=09:00:00
start
until 09:00:01
crash
start
until 09:00:01
crash
start
until 09:00:01
crash
start
until 09:00:01
crash
start
until 09:00:02
crash
start
until 09:00:02
crash
start
until 09:00:02
crash
start
until 09:05:00
expect on-sale done
expect count on-sale accepted 100
expect messages 100
expect pace 26 1s
