# A pause is stored: after a restart the notice still waits, and goes on when it is lifted.
now 2027-03-26T08:00:00Z
person ann@example.org
define early start=09:00:00
start
until 08:59:00
pause
stop
start
until 09:05:00
expect messages 0
expect on-sale ready
resume
until 09:06:00
expect messages 1
expect on-sale done
