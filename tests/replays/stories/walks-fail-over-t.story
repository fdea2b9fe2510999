# Walks fail for an hour over the moment, but questions are answered: what was known is told in time.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
silent walks
until 09:00:01
expect messages 1
until 09:30:00
answering
until 10:00:00
expect messages 1
