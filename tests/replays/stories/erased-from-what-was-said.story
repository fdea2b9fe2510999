# A plugin repeats the address: it is not kept, and nothing is left of it.
now 2027-03-26T08:00:00Z
crowd 3
define hall start=09:00:00
post refuse fan2@example.org
start
until 09:01:00
expect on-sale done
expect count on-sale refused 1
erase fan2@example.org
expect known fan2@example.org no
expect known fan3@example.org yes
