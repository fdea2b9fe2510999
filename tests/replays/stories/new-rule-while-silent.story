# A rule that arrives by reload while the site gives no answer: what we know is planned.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:10:00
silent walks
rule on-sale
rule reminder, when: 10m before sale_start
reload
until 08:51:00
expect messages 1
