# The people went with the moved sale, and a restart does not lose them.
now 2027-03-26T08:00:00Z
crowd 4
define hall start=09:00:00
start
until 08:55:00
change hall start=09:10:00
until 08:56:00
crash
start
never before 09:10:00
until 09:12:00
expect messages 4
