# The event is cancelled a minute before the sale and revived five minutes after it should have begun: late, but within
# catch_up, and told once.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
never before 09:05:00
start
until 08:59:00
change hall status=CANCELED
until 09:04:59
expect messages 0
expect on-sale withdrawn event off
until 09:05:00
change hall status=UPCOMING
until 12:00:00
expect messages 1
expect on-sale done
expect notices 1
