# One person's message makes the receiver ask to slow down each time. They do not stand in everybody's way: when it tries
# again it is somebody else's turn.
now 2027-03-26T08:00:00Z
crowd 30
define hall start=09:00:00
notifier doubt_max: 1
post throttle fan3@example.org
start
until 09:05:00
expect count on-sale accepted 29
expect count on-sale waiting 1
until 16:00:00
expect on-sale done
expect withheld on-sale 1 expired
expect told fan3@example.org 0
