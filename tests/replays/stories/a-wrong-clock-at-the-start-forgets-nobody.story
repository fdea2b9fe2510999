# The clock is a year ahead from the start: the site's Date says so.
now 2027-03-26T08:00:00Z
dated
crowd 3
define hall start=09:00:00
start
until 09:01:00
stop
step +365d
start
until +3h
expect people on-sale 3
