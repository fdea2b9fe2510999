# Refused ones are tried again while others wait for another try and others are still on their way: nobody is forgotten.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 20s, cap: 20s}
notifier doubt_max: 2
crowd 9
define hall start=09:00:00
post slow 2s
post window 2
post refuse fan1@example.org 552 1
post later fan3@example.org 451 1
post later fan4@example.org 451 1
start
until 09:00:05
expect on-sale sending
retry on-sale refused 552
until 09:03:00
expect on-sale done
expect count on-sale accepted 9
expect messages 9
