# A pause that outlasts catch_up: missed.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:50:00
pause
restart
until 09:40:00
resume
until 12:00:00
expect messages 0
expect on-sale missed late
