# One notice is paused, another is not.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
define loge event=other start=09:00:00
start
until 08:50:00
pause on-sale/other
until 09:05:00
expect messages 1
expect on-sale/festival done
resume on-sale/other
until 09:06:00
expect messages 2
