# An operator holds the notice over the moment and releases it.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:58:00
hold on-sale
until 09:10:00
expect on-sale held operator
expect messages 0
restart
expect on-sale held operator
release on-sale
until 09:11:00
expect messages 1
expect on-sale done
