# Everything is paused over the moment and resumed within catch_up.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:50:00
pause
until 09:10:00
expect messages 0
never before 09:10:00
resume
until 09:11:00
expect messages 1
