# The receiver names a time: nothing leaves before it, also after the power has failed; then one goes first, and all follow.
now 2027-03-26T08:00:00Z
crowd 60
define hall start=09:00:00
post window 5
post slow 100ms
post throttle * 90s 1
start
until 09:00:01
expect channel mail waiting asked to wait until 2027-03-26T09:01:30
expect on-sale sending
expect attempts 10
expect count on-sale accepted 9
until 09:01:00
expect attempts 10
crash
start
expect channel mail waiting asked to wait until 2027-03-26T09:01:30.100Z: 421 4.7.0 slow down
until 09:01:29
expect attempts 10
until 09:01:30.150
expect channel mail trying 421 4.7.0 slow down
until 09:01:31
expect channel mail well
until 09:05:00
expect on-sale done
expect count on-sale accepted 60
expect attempts 61
expect messages 60
restart
expect channel mail well
