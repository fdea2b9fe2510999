# Nobody is left by the time of the claim: done, and everyone has a reason.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:55:00
forget ann@example.org
forget bob@example.org
until 09:01:00
expect messages 0
expect on-sale done
expect withheld on-sale 2 left
restart
until 09:30:00
expect messages 0
