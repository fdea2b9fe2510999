# if_told: drop says nothing of the new time.
now 2027-03-26T08:00:00Z
rule on-sale, if_told: drop
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
change hall start=09:30:00
until 10:40:00
expect messages 1
