# A new installation cannot reach the site for an hour over the moment: it never knew, so it is not ours to tell late.
now 2027-03-26T08:30:00Z
person ann@example.org
define hall start=09:00:00
silent
start
until 09:15:00
answering
until 12:00:00
expect on-sale missed before our time
expect messages 0
