# The shop is slow to start the sale: when patience is over all that stands at the moment is named.
now 2027-03-26T08:00:00Z
rule on-sale, if_not_started: {wait: 30s, then: send}
person ann@example.org
define hall start=09:00:00 sale=SALE_SCHEDULED
define stand start=09:00:00 sale=SALE_SCHEDULED
start
until 09:05:00
expect on-sale done
expect messages 1
expect named on-sale 2
