# No answer came: it may have arrived, so it is not sent again.
now 2027-03-26T08:00:00Z
crowd 3
define hall start=09:00:00
post doubt fan2@example.org
start
until 09:30:00
expect on-sale done
expect count on-sale in_doubt 1
expect messages 3
