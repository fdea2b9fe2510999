# Held while the last messages were on their way: all arrive, so there is nobody to wait for and it is done.
now 2027-03-26T08:00:00Z
crowd 3
define hall start=09:00:00
post slow 20s
start
until 09:00:05
hold on-sale
expect on-sale held operator
until 09:01:00
expect on-sale done
expect messages 3
