# Put off after having been erased: there is no other attempt.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 1m, cap: 10m}
crowd 3
define hall start=09:00:00
post slow 5s
post later fan2@example.org 451
start
until 09:00:02
expect count on-sale claimed 3
erase fan2@example.org
until 09:30:00
expect on-sale done
expect messages 2
expect withheld on-sale 1 erased
