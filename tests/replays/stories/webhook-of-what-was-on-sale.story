# Found on sale, nobody is told of it; put into the future, it is new, and moved from there on.
now 2027-03-26T08:00:00Z
listen
define hall start=07:00:00
define loge event=other start=12:00:00
start
until 08:05:00
expect heard opening.scheduled 1
change hall start=10:00:00
until 08:10:00
expect heard opening.scheduled 2
expect heard opening.moved 0
change hall start=11:00:00
until 08:15:00
expect heard opening.moved 1
