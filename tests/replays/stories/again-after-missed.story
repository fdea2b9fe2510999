# What was missed is sent after all when an operator says so.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
stop
until 10:00:00
start
expect on-sale missed late
again on-sale
until 10:05:00
expect messages 1
