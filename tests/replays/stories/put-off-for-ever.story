# Put off as often as the rule allows.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 3, first: 1s, cap: 10s}
crowd 3
define hall start=09:00:00
post later fan2@example.org
start
until 09:30:00
expect on-sale done
expect count on-sale accepted 2
expect withheld on-sale 1 attempts
