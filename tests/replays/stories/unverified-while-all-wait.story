# The shop gives no answer any more while everybody waits for another try: dropped when its patience is over.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 30m, cap: 30m}, if_unverified: {wait: 1m, then: drop}
crowd 5
define hall start=09:00:00
post later *
start
until 09:00:30
expect on-sale sending
silent
until 09:05:00
expect on-sale withdrawn
answering
post kind
until 12:00:00
expect on-sale withdrawn
expect messages 0
