# Held and released again while messages are on their way: the rest follows at once, each person once.
now 2027-03-26T08:00:00Z
notifier doubt_max: 2
crowd 6
define hall start=09:00:00
post slow 10s
post window 2
start
until 09:00:05
hold on-sale
expect on-sale held operator
release on-sale
until 09:00:45
expect messages 6
expect on-sale done
