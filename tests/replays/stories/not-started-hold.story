# The site says for longer than the rule is patient that the sale has not begun: hold.
now 2027-03-26T08:00:00Z
rule on-sale, if_not_started: {wait: 2m, then: hold}
person ann@example.org
define hall start=09:00:00 sale=SALE_SCHEDULED
start
until 09:01:59
expect messages 0
until 09:02:30
expect on-sale held
expect messages 0
