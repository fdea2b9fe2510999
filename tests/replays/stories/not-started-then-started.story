# The site is a few seconds behind its own plan.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00 sale=SALE_SCHEDULED
start
until 09:00:06
expect messages 0
change hall sale=SALE_STARTED
until 09:00:20
expect messages 1
