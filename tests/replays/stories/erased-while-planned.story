# Somebody unknown is erased before anything was read: no reading lists them.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
start
until 08:30:00
erase fan2@example.org
until 08:55:00
expect on-sale ready
expect count on-sale planned 4
expect known fan2@example.org no
until 09:01:00
expect on-sale done
expect messages 4
expect told fan2@example.org 0
