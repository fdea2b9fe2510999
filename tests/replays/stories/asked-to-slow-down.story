# 421 without a time for four minutes: 1, 2, 4 ... s apart and never by more than one message; nobody is charged, and then
# everybody is told once.
now 2027-03-26T08:00:00Z
crowd 60
define hall start=09:00:00
post window 5
post throttle *
start
until 09:04:00
expect channel mail waiting
expect count on-sale accepted 0
expect count on-sale waiting 60
expect attempts 8
post kind
until 09:15:00
expect channel mail well
expect on-sale done
expect count on-sale accepted 60
expect messages 60
