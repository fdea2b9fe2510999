# The state is lost; a fresh one finds the sale open since a quarter of an hour: not ours to tell.
now 2027-03-26T09:15:00Z
person ann@example.org
define hall start=09:00:00 created=2027-03-01T00:00:00Z
start
until 12:00:00
expect messages 0
expect on-sale missed before our time
