# The clock falls back over a moment that was told already: nobody hears of it again.
now 2027-03-26T08:00:00Z
dated
person ann@example.org
define hall start=09:00:00
start
until 09:10:00
expect messages 1
step -1h
until 09:30:00
expect messages 1
