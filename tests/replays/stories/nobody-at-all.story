# An audience without a single person.
now 2027-03-26T08:00:00Z
define hall start=09:00:00
start
until 09:01:00
expect messages 0
expect on-sale done
