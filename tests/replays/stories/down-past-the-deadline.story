# Down in the middle of sending until after the notifier's deadline: the rest is withheld, and said so.
now 2027-03-26T08:00:00Z
notifier deadline: 1m
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
stop
until 09:05:00
start
until 09:10:00
expect on-sale done
expect messages 6
expect withheld on-sale 34 expired
