# Every mailbox is busy for twenty seconds. Everybody is told once, and nobody is tried more often than the rule allows.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 20, first: 2s, cap: 20s}
crowd 60
define hall start=09:00:00
post later * 450
start
until 09:00:20
expect on-sale sending
expect count on-sale accepted 0
expect channel mail well
post kind
until 09:02:00
expect on-sale done
expect count on-sale accepted 60
expect messages 60
