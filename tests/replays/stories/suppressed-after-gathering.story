# Our own list counts until the claim.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:59:58
suppress bob@example.org
until 09:01:00
expect messages 1
expect told bob@example.org 0
expect withheld on-sale 1 suppressed
