# The daemon is down when the sale opens and back within catch_up: told late, once.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
stop
until 09:10:00
never before 09:10:00
start
until 09:20:00
expect on-sale done
expect messages 1
