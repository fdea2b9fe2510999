# An operator cancels; ten syncs, a restart and a touch of the definition later it is still cancelled.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
cancel on-sale
sync 10
expect on-sale cancelled operator
change hall title=Other
until 08:40:00
restart
until 12:00:00
expect on-sale cancelled operator
expect messages 0
refused release on-sale
