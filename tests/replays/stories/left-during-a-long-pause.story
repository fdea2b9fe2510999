# Paused for hours in the middle: what was read before is too old by then, and who left meanwhile is not told.
now 2027-03-26T08:00:00Z
notifier doubt_max: 1
crowd 10
define hall start=09:00:00
post slow 10s
post window 1
start
until 09:00:35
pause
until 11:30:00
forget fan9@example.org
forget fan10@example.org
person late@example.org
resume
until 11:40:00
expect on-sale done
expect told fan8@example.org 1
expect told fan9@example.org 0
expect told late@example.org 0
expect withheld on-sale 2 left
