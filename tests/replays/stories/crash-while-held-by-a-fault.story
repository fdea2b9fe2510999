# The power fails while a notice is held for its message's sake: still held, and nobody is lost after the release.
now 2027-03-26T08:00:00Z
crowd 30
define hall start=09:00:00
post blame *
start
until 09:05:00
expect on-sale held message
crash
until 09:06:00
start
expect on-sale held message
post kind
release on-sale
until 09:10:00
expect on-sale done
expect count on-sale accepted 30
expect messages 30
