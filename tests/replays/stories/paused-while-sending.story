# A pause in the middle of sending stops further claims; after the resume everybody is told once.
now 2027-03-26T08:00:00Z
crowd 20
define hall start=09:00:00
post slow 1s
post window 1
start
until 09:00:05
pause
until 09:00:10
expect count on-sale accepted 12
until 09:10:00
expect count on-sale accepted 12
restart
until 09:12:00
expect count on-sale accepted 12
resume
until 09:20:00
expect on-sale done
expect messages 20
