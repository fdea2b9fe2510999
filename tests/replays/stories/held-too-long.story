# What an operator holds waits for the operator; later than catch_up a release asks first.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:58:00
hold on-sale
until 11:00:00
expect on-sale held operator
refused release on-sale
release-anyway on-sale
until 11:01:00
expect messages 1
