# The clock jumps an hour ahead, over the moment: the site's own Date shows that it is not time yet, and nothing is sent
# and nothing is given up before the clock is put right.
now 2027-03-26T08:00:00Z
dated
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
step +1h
expect frozen yes
expect messages 0
until 09:35:00
expect messages 0
step -1h
until 08:36:00
expect frozen no
expect messages 0
never before 09:00:00
until 09:01:00
expect messages 1
