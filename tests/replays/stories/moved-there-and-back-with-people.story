# It moves away with its people and comes back at once: they are told once, at the first hour.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
never before 09:00:00
start
until 08:55:00
change hall start=09:10:00
until 08:56:00
change hall start=09:00:00
until 09:30:00
expect messages 2
expect on-sale@09:00:00 done
expect no on-sale@09:10:00
