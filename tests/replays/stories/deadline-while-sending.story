# The notifier's deadline comes in the middle of sending.
now 2027-03-26T08:00:00Z
notifier deadline: 30s
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:10:00
expect on-sale done
expect messages 12
expect withheld on-sale 28 expired
