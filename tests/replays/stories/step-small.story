# A step of half a minute ahead: the gate waits for the site's own time.
now 2027-03-26T08:00:00Z
dated
person ann@example.org
define hall start=09:00:00
start
until 08:59:00
step +30s
never before 09:00:30
until 09:02:00
expect messages 1
