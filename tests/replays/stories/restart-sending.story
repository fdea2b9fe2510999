# Stopped in the middle of sending: what is in flight is waited for, the rest is told after the start, nobody twice.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 2
start
until 09:00:12
expect on-sale sending
restart
until 09:05:00
expect on-sale done
expect count on-sale accepted 40
expect messages 40
