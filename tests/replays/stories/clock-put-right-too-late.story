# ... and later than catch_up allows: missed, as soon as the Date agrees.
now 2027-03-26T08:00:00Z
step -1h
dated
person ann@example.org
define hall start=09:00:00
start
until 08:40:00
step +1h
until 09:41:00
expect frozen no
expect on-sale missed late
until 12:00:00
expect messages 0
