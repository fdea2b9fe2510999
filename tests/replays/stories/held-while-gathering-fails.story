# Held while its people cannot be read: a release reads them first.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
lose fans
start
until 08:55:00
expect on-sale gathering
hold on-sale
until 09:05:00
person bob@example.org
release on-sale
until 09:10:00
expect messages 2
