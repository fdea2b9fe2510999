# A rule leaves the configuration and comes back before its time.
now 2027-03-26T08:00:00Z
rule on-sale
rule other, when: 5m after sale_start
person ann@example.org
define hall start=09:00:00
start
until 08:20:00
no-rule on-sale
reload
expect on-sale withdrawn rule removed
until 08:30:00
rule on-sale
reload
until 09:10:00
expect on-sale done
expect messages 2
