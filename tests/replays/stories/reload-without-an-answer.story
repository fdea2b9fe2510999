# A reload does not wait for ever for an answer: whose never came is in doubt, and the notice comes to its end.
now 2027-03-26T08:00:00Z
crowd 10
define hall start=09:00:00
post hang fan3@example.org -1
start
until 09:00:05
expect count on-sale claimed 1
reload
until 09:10:00
expect on-sale done
expect count on-sale in_doubt 1
expect count on-sale accepted 9
expect messages 9
audit
