# Once more to everybody, because an operator says so.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 09:05:00
expect messages 2
person cyd@example.org
again on-sale
until 09:10:00
expect edition on-sale 2
expect on-sale done
expect messages 5
restart
until 12:00:00
expect messages 5
