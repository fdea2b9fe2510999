# The sale moves in the middle of sending: the rest is withheld, and the new moment waits for a person's word.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
change hall start=10:00:00
until 10:10:00
expect on-sale@09:00:00 withdrawn moved
expect messages 10
expect withheld on-sale@09:00:00 30 moved
expect on-sale@10:00:00 held already told
