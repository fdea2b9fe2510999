# Everybody waits for another try and nothing is on its way when the operator cancels: it ends there.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 30m, cap: 30m}
crowd 5
define hall start=09:00:00
post later *
start
until 09:00:30
expect on-sale sending
cancel on-sale
expect on-sale cancelled
restart
until 12:00:00
expect on-sale cancelled
expect messages 0
