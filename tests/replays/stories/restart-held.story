# Held because these people were told before, over a restart; released after it.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
change hall start=09:30:00
until 09:35:00
expect on-sale@09:30:00 held already told
restart
expect on-sale@09:30:00 held already told
crash
start
expect on-sale@09:30:00 held already told
release-anyway on-sale@09:30:00
until 09:40:00
expect messages 2
