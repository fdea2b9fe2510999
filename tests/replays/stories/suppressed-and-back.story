# ... and what was taken back before it counts as well.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
suppress ann@example.org
until 08:59:00
unsuppress ann@example.org
until 09:01:00
expect messages 1
