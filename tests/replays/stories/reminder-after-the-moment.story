# A reminder that was not sent before the sale opened says nothing any more, though catch_up would reach further.
now 2027-03-26T06:00:00Z
rule reminder, when: 10m before sale_start, catch_up: 2h
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
stop
until 09:00:01
start
until 12:00:00
expect reminder missed late
expect messages 0
