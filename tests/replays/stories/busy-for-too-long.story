# Some mailboxes are busy for ever: three attempts each, and then it is over.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 3, first: 2s, cap: 20s}
crowd 15
define hall start=09:00:00
post later * 452
start
until 09:05:00
expect on-sale done
expect withheld on-sale 15 attempts
expect attempts 45
