# Twenty have used up their attempts one after the other, all with the same code: that is the relay's fault and not theirs, so
# nobody else is charged. When it is over all are told.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 3, first: 2s, cap: 20s}
crowd 60
define hall start=09:00:00
post later * 452
start
until 09:05:00
expect on-sale held message
expect withheld on-sale 20 attempts
expect count on-sale waiting 40
post kind
retry on-sale withheld attempts
release on-sale
until 09:10:00
expect on-sale done
expect messages 60
