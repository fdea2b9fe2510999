# The same, but it comes back later than catch_up allows: nobody is told by surprise.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:59:00
change hall status=CANCELED
until 09:31:00
change hall status=UPCOMING
until 12:00:00
expect messages 0
