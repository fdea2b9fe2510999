# The sale moves after one of its people was erased: the others go along, and so does what became of them.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
start
until 08:55:00
erase fan2@example.org
change hall start=09:30:00
sync
until 09:25:00
audit
until 09:31:00
expect on-sale@09:30:00 done
expect messages 4
expect told fan2@example.org 0
