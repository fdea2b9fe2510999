# One of two tickets is hidden in the middle of sending: the other one is on sale, so everybody is told.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
define loge start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
change hall hidden=yes
until 09:10:00
expect on-sale done
expect messages 40
