# The people can never be read: held, then missed; nobody is told.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
lose fans
start
until 09:02:00
expect on-sale held consent
until 09:31:00
expect on-sale missed late
expect messages 0
