# The same, but it comes back when the first hour has just gone by.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=10:00:00
start
until 08:30:00
change hall start=09:00:00
until 10:00:30
expect messages 1
change hall start=10:00:00
until 10:05:00
expect on-sale@10:00:00 held already told
expect messages 1
