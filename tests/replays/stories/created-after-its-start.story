# A ticket created with a start that is over: it was on sale from the beginning, there is no moment to tell of.
now 2027-03-26T08:00:00Z
person ann@example.org
start
until 09:10:00
define hall start=09:00:00
until 12:00:00
expect messages 0
