# Cancelled by an operator in the middle of sending: who is left is withheld for that reason, for ever.
now 2027-03-26T08:00:00Z
crowd 20
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
cancel on-sale
until 09:10:00
expect on-sale cancelled operator
expect messages 6
expect withheld on-sale 14 cancelled
restart
until 10:00:00
expect messages 6
