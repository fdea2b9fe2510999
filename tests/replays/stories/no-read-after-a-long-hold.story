# Released after hours in the middle, and the audience cannot be read: held until it can, then the rest is told.
now 2027-03-26T08:00:00Z
notifier doubt_max: 1
crowd 10
define hall start=09:00:00
post slow 10s
post window 1
start
until 09:00:35
hold on-sale
until 11:30:00
lose fans
release on-sale
until 11:31:00
expect on-sale held consent
person fan1@example.org
until 11:40:00
expect on-sale done
expect messages 10
