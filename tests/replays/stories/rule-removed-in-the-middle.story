# The rule left the configuration while people waited for another try: the notice ends, nobody waits for ever.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 30m, cap: 30m}
rule other, when: 1h before sale_end
crowd 5
define hall start=09:00:00
post later *
start
until 09:00:30
expect on-sale sending
stop
no-rule on-sale
post kind
start
until 09:10:00
expect on-sale withdrawn rule removed
expect withheld on-sale 5 cancelled
expect messages 0
