# The receivers refuse the message itself: held, nobody is lost, and after the release everybody is told.
now 2027-03-26T08:00:00Z
crowd 30
define hall start=09:00:00
post blame *
start
until 09:05:00
expect on-sale held message
expect count on-sale refused 0
expect messages 0
post kind
release on-sale
until 09:10:00
expect on-sale done
expect messages 30
