# What was sold at that moment is hidden: there is nothing to tell once more.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:55:00
change hall hidden=yes
until 08:56:00
expect on-sale withdrawn hidden
refused again on-sale
until 09:30:00
expect on-sale withdrawn hidden
expect messages 0
