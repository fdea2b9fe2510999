# Held in the middle; what the message spoke of is deleted, another ticket of that moment is on sale: the rest hears of it.
now 2027-03-26T08:00:00Z
notifier doubt_max: 1
crowd 6
define hall start=09:00:00
define stand start=09:00:00 soldout=yes
post slow 10s
post window 1
start
until 09:00:25
hold on-sale
until 09:01:00
expect named on-sale 1
change hall deleted=yes
change stand soldout=no
sync 3
expect on-sale held operator
release on-sale
until 09:10:00
expect on-sale done
expect messages 6
