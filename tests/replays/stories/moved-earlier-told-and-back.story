# The sale moves to an earlier hour, everybody is told, and it moves back to the first one, whose notice comes back: an
# operator decides.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=10:00:00
start
until 08:30:00
change hall start=09:00:00
until 09:05:00
expect messages 1
change hall start=10:00:00
until 10:05:00
expect on-sale@10:00:00 held already told
expect messages 1
