# The power fails a dozen times within one second: what was claimed before counts against the rate, so in no second
# does anybody get more than they would have without.
now 2027-03-26T08:00:00Z
notifier rate: 200/s
crowd 800
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
until 09:05:00
expect on-sale done
expect count on-sale accepted 800
expect messages 800
expect pace 261 1s   # what 50 ms and the quarter of a second before the sale have saved, and 200
