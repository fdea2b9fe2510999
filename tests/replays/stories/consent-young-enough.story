# The second read fails, and the first one is young enough.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:55:00
lose fans
until 09:02:00
expect messages 1
expect on-sale done
