# Five minutes after everybody was told the sale moves to half an hour later: an operator decides, and sends.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 09:05:00
expect messages 2
change hall start=09:30:00
until 09:40:00
expect messages 2
expect on-sale@09:30:00 held already told
refused release on-sale@09:30:00
release-anyway on-sale@09:30:00
until 09:45:00
expect on-sale@09:30:00 done
expect messages 4
