# The clock jumps half an hour ahead, over catch_up, and no Date says who is right: neither sent nor given up before an
# operator says that the clock is right.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:45:00
step +1h
until 10:00:00
expect frozen yes
expect on-sale planned
expect messages 0
resume
until 10:05:00
expect frozen no
expect on-sale missed late
expect messages 0
