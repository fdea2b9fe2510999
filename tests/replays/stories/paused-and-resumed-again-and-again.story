# Somebody pauses and resumes again and again, four times a second: before anything is sent the site is asked, but not so
# often that nobody else could ask it any more.
now 2027-03-26T08:00:00Z
crowd 500
define hall start=09:00:00
post slow 1s
post window 1
start
until 09:00:02
expect asks 2
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
pause
resume
until +250ms
expect asks 9
until 09:20:00
expect on-sale done
expect messages 500
