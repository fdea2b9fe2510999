# It moves after everybody was told and comes back: what was told stays told.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
change hall start=09:30:00
until 09:10:00
change hall start=09:00:00
until 12:00:00
expect messages 1
expect on-sale@09:00:00 done
expect no on-sale@09:30:00
