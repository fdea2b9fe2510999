# One is refused, one is put off twice: each is told once or not at all.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
post refuse fan2@example.org
post later fan3@example.org 451 2
start
until 09:30:00
expect on-sale done
expect count on-sale accepted 4
expect count on-sale refused 1
expect told fan2@example.org 0
expect told fan3@example.org 1
