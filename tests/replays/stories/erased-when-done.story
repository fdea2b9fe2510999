# What happened stays, without who; a new edition does not know them.
now 2027-03-26T08:00:00Z
crowd 3
define hall start=09:00:00
start
until 09:01:00
expect on-sale done
erase fan2@example.org
expect known fan2@example.org no
expect count on-sale accepted 3
expect people on-sale 2
again on-sale
until 09:10:00
expect on-sale done
expect count on-sale planned 2
expect told fan2@example.org 1
