# Erased between the readings: withheld at once, and the sweep does not bring the address back.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
start
until 08:55:00
expect on-sale ready
expect known fan2@example.org yes
erase fan2@example.org
expect known fan2@example.org no
expect count on-sale withheld 1
expect count on-sale waiting 4
audit
until 08:59:58
expect reads on-sale 2
expect known fan2@example.org no
until 09:01:00
expect on-sale done
expect messages 4
expect told fan2@example.org 0
expect withheld on-sale 1 erased
