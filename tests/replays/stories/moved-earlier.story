# The sale moves to an earlier hour.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=12:00:00
start
until 08:30:00
change hall start=09:00:00
never before 09:00:00
until 09:01:00
expect messages 1
until 13:00:00
expect messages 1
