# Every mailbox is busy for ever: three attempts each. When twenty have used theirs up it is nobody's own fault: held, and
# nobody else is charged.
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
expect count on-sale accepted 60
expect messages 60
