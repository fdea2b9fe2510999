# A ticket that appears ten seconds before it goes on sale.
now 2027-03-26T08:00:00Z
person ann@example.org
start
until 08:59:50
define hall start=09:00:00
never before 09:00:00
until 09:01:00
expect messages 1
