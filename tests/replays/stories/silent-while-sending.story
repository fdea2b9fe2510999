# The site falls silent in the middle of sending: evidence is good for a minute, then nothing is claimed until it answers.
now 2027-03-26T08:00:00Z
crowd 60
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
silent
until 09:03:00
expect on-sale sending
expect messages 24
answering
until 09:10:00
expect on-sale done
expect messages 60
