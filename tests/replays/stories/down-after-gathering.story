# The people were gathered, then the daemon was down over the moment: what was read counts while it is young enough.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
never before 09:00:00
start
until 08:58:00
expect on-sale ready
stop
until 09:05:00
start
until 09:20:00
expect on-sale done
expect messages 2
