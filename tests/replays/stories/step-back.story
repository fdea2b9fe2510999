# The clock falls an hour back before the moment: the site's Date is ahead of it. Nothing leaves before our own clock says
# so too, and when it is put right everything goes its way.
now 2027-03-26T08:00:00Z
dated
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
step -1h
until 07:45:00
expect messages 0
step +1h
never before 09:00:00
until 09:01:00
expect messages 1
