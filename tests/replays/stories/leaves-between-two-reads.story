# Somebody unsubscribes by vanishing between the two reads; somebody joins.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:55:00
forget bob@example.org
person cyd@example.org
until 09:01:00
expect on-sale done
expect told ann@example.org 1
expect told bob@example.org 0
expect told cyd@example.org 1
expect withheld on-sale 1 left
