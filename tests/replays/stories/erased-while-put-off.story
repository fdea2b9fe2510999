# The only one who waits for another attempt is erased: the notice is done at that moment.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 10m, cap: 1h}
crowd 3
define hall start=09:00:00
post later fan2@example.org 451
start
until 09:00:05
expect on-sale sending
expect count on-sale waiting 1
erase fan2@example.org
expect on-sale done
expect withheld on-sale 1 erased
until 10:00:00
expect messages 2
