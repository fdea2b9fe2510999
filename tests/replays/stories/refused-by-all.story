# Twenty refusals in a row with one code are no accident: held.
now 2027-03-26T08:00:00Z
crowd 100
define hall start=09:00:00
post refuse *
post window 2
start
until 09:05:00
expect on-sale held message
