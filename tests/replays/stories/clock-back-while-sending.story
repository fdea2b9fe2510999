# The clock is set back by an hour while people are told, and right again later: nothing leaves meanwhile, the site is not
# asked over and over about what is not due, and everybody is told once.
now 2027-03-26T08:50:00Z
dated
crowd 10
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
expect on-sale sending
silent
step -1h
until +2m
expect on-sale sending
step +1h
answering
until +3m
expect on-sale done
expect messages 10
audit
