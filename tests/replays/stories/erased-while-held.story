# Erased behind a hold, over a restart.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
hold on-sale
until 09:01:00
expect on-sale held operator
erase fan40@example.org
restart
expect count on-sale withheld 1
release on-sale
until 09:20:00
expect on-sale done
expect messages 39
