# The sale moves a second before it would have opened, and only the gate can see it.
now 2027-03-26T08:00:00Z
site poll_every: 1h
person ann@example.org
define hall start=09:00:00
start
until 08:59:59
change hall start=10:00:00
never before 10:00:00
until 09:30:00
expect messages 0
expect on-sale@09:00:00 withdrawn moved
until 10:01:00
expect messages 1
