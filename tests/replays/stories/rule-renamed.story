# A rule gets another name ten minutes after everybody was told: for us it is a new rule, which was not there at nine.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:10:00
expect messages 1
no-rule on-sale
rule sale-is-open, when: sale_start
reload
until 12:00:00
expect messages 1
expect on-sale done
expect sale-is-open missed before our time
