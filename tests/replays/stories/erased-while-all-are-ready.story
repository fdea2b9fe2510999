# Everybody is erased: the launch finds nobody and is done.
now 2027-03-26T08:00:00Z
crowd 2
define hall start=09:00:00
start
until 08:55:00
erase fan1@example.org
erase fan2@example.org
restart
until 09:01:00
expect on-sale done
expect messages 0
expect withheld on-sale 2 erased
