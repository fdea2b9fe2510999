# Two were refused by mistake of a receiver; the operator tries these again, and only these.
now 2027-03-26T08:00:00Z
crowd 5
define hall start=09:00:00
post refuse fan2@example.org 552
post refuse fan4@example.org 552
start
until 09:05:00
expect on-sale done
expect count on-sale refused 2
post kind
retry on-sale refused 552
until 09:06:00
expect on-sale done
expect count on-sale accepted 5
expect messages 5
restart
