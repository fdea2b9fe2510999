# A page with them is on its way, and so is a restart in the middle of the reading.
now 2027-03-26T08:00:00Z
crowd 2500
define hall start=09:00:00
start
until 08:50:00
erase fan7@example.org
erase fan2400@example.org
restart
until 09:10:00
expect on-sale done
expect messages 2498
expect known fan7@example.org no
expect known fan2400@example.org no
