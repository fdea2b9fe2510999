# Not started at the gate, and then the shop admits that it moved: it is told at the new time, and only then.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00 sale=SALE_SCHEDULED
start
until 09:00:20
expect messages 0
change hall start=09:20:00 sale=
never before 09:20:00
until 09:21:00
expect on-sale@09:00:00 withdrawn moved
expect messages 1
