# A rule that arrives by reload before its time is ours, though nothing changed in the shop.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:20:00
rule on-sale
rule reminder, when: 10m before sale_start
reload
until 08:45:00
expect reminder ready
until 08:51:00
expect messages 1
until 09:01:00
expect messages 2
