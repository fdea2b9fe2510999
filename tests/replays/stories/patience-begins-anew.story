# The sale had not started when it was hidden and shown again: the patience for its start begins anew, too.
now 2027-03-26T08:00:00Z
rule on-sale, if_not_started: {wait: 5m, then: send}
site poll_every: 1s
person ann@example.org
define hall start=09:00:00 sale=SALE_SCHEDULED
start
until 09:03:00
expect on-sale ready
change hall hidden=yes
until 09:03:10
expect on-sale withdrawn hidden
change hall hidden=no
never before 09:08:00
until 09:07:00
expect messages 0
until 09:09:00
expect messages 1
