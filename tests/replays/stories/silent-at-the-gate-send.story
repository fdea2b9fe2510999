# The site gives no answer at the gate for longer than the rule is patient: send.
now 2027-03-26T08:00:00Z
rule on-sale, if_unverified: {wait: 10m, then: send}
person ann@example.org
define hall start=09:00:00
start
until 08:58:00
silent
until 09:09:59
expect messages 0
expect on-sale ready
until 09:11:00
expect on-sale done
expect messages 1
answering
until 12:00:00
expect messages 1
