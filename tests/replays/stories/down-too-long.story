# The daemon is back later than catch_up allows: missed, and said so; nobody hears of it by surprise.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
stop
until 09:31:00
start
until 12:00:00
expect on-sale missed late
expect messages 0
