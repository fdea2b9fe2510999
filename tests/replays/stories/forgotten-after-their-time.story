# People go 90 days after a notice has ended; what became of them is still known.
now 2027-03-26T08:00:00Z
crowd 3
define hall start=09:00:00
start
until 09:01:00
expect on-sale done
until 2027-06-23T09:01:00Z
expect people on-sale 3
until 2027-06-25T09:01:00Z
expect people on-sale 0
expect count on-sale accepted 3
expect known fan2@example.org no
restart
until +2h
audit
