# Somebody says no between the two reads.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:55:00
person bob@example.org unsubscribed
until 09:01:00
expect messages 1
expect told bob@example.org 0
