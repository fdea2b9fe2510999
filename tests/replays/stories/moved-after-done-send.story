# if_told: send tells them again without asking, at the new time.
now 2027-03-26T08:00:00Z
rule on-sale, if_told: send
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
expect messages 1
never before 09:30:00
change hall start=09:30:00
until 09:40:00
expect messages 2
