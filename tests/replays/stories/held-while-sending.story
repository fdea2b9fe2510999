# An operator holds in the middle of sending and lets it go on.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
hold on-sale
until 09:10:00
expect on-sale held operator
expect messages 6
restart
release on-sale
until 09:20:00
expect on-sale done
expect messages 40
