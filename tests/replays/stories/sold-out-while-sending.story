# Sold out in the middle of sending: it was open at its time, so everybody who asked is told.
now 2027-03-26T08:00:00Z
crowd 60
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
change hall soldout=yes
until 09:10:00
expect on-sale done
expect messages 60
