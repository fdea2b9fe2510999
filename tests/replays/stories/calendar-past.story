# Past ones are shown for thirty days; that their tickets go later withdraws nothing.
now 2027-03-26T06:00:00Z
site poll_every: 1h
define hall start=2027-03-26T10:00:00Z
define club event=other start=2027-05-31T10:00:00Z
start
until 12:00:00
expect calendar 2 2
change hall deleted=yes
until 2027-03-28T12:00:00Z
expect event 2027-03-26T10:00:00Z 0 CONFIRMED
until 2027-04-25T09:00:00Z
expect calendar 2 2
until 2027-04-25T10:00:01Z
expect calendar 1 3
restart
until 2027-04-26T10:00:00Z
expect calendar 1 3
