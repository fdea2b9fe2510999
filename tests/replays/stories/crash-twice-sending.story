# Twice.
now 2027-03-26T08:00:00Z
crowd 60
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
crash
until 09:00:20
start
until 09:00:32
crash
until 09:01:00
start
until 09:10:00
expect on-sale done
expect count on-sale in_doubt 4
expect messages 60
