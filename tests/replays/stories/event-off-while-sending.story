# The event is called off in the middle of sending: who is left is not told of it.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
change hall status=CANCELED
until 09:10:00
expect on-sale withdrawn event off
expect messages 10
expect withheld on-sale 30 event off
change hall status=UPCOMING
until 09:20:00
expect messages 10
