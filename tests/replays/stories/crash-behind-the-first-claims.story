# The power fails when the first are claimed: nothing is claimed before the row is stored that names what is announced. When
# the sale has moved meanwhile, the new moment waits for a person's word, and the old one was started.
now 2027-03-26T08:00:00Z
listen
crowd 40
define hall start=09:00:00
post slow 5s
post window 2
start
until 09:00:00
expect count on-sale claimed 4
crash
change hall start=10:00:00
until 09:00:20
start
until 09:05:00
expect on-sale@09:00:00 withdrawn moved
expect heard notice.started 1
until 10:05:00
expect on-sale@10:00:00 held already told
