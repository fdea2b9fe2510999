# Our own eyes stand in an audience as well: one message, first.
now 2027-03-26T08:00:00Z
rule on-sale, seed: [fan3@example.org]
crowd 5
define hall start=09:00:00
start
until 09:01:00
expect messages 5
expect letter 1 fan3@example.org
