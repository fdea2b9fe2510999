# The power fails in the middle of sending: those in flight are in doubt, are not told again, and everybody else is told.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 2
start
until 09:00:12
expect count on-sale claimed 4
crash
until 09:00:20
start
until 09:05:00
expect on-sale done
expect count on-sale in_doubt 4
expect count on-sale accepted 36
expect messages 40
