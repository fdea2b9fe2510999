# Silent at the gate, then it answers: late by as much, and told.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:58:00
silent
until 09:04:00
never before 09:04:00
answering
until 09:05:00
expect messages 1
