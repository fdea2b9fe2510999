# The relay is gone in the middle: five failures open the breaker, one message tries at a time, and nobody is charged.
now 2027-03-26T08:00:00Z
crowd 60
define hall start=09:00:00
rule on-sale, retry: {attempts: 2, first: 1s, cap: 1s}
post window 5
post down *
start
until 09:00:01
expect channel mail failing nothing gets through
until 09:03:00
expect count on-sale waiting 60
expect count on-sale withheld 0
expect on-sale sending
expect attempts 12
crash
start
post kind
until 09:05:30
expect channel mail well
expect on-sale done
expect count on-sale accepted 60
expect messages 60
