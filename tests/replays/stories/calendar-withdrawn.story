# Withdrawn ones are shown as such for seven days, without a reminder, and go; nothing else moves.
now 2027-03-26T06:00:00Z
site poll_every: 1h
define hall title=Summer start=2027-03-30T10:00:00Z
define club event=other start=2027-03-31T10:00:00Z
start
until 08:00:00
expect calendar 2 2
change hall hidden=yes
until 10:00:00
expect event 2027-03-30T10:00:00Z 1 CANCELLED SUMMARY:Withdrawn: Summer
expect event 2027-03-31T10:00:00Z 0 CONFIRMED
restart
until 2027-04-02T08:00:00Z
expect event 2027-03-30T10:00:00Z 1 CANCELLED
expect calendar 2 3
until 2027-04-02T10:00:00Z
expect calendar 1 4
expect event 2027-03-31T10:00:00Z 0 CONFIRMED
