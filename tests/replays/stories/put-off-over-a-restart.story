# Who was put off waits through a restart.
now 2027-03-26T08:00:00Z
rule on-sale, retry: {attempts: 8, first: 1m, cap: 10m}
crowd 3
define hall start=09:00:00
post later fan2@example.org 451 1
start
until 09:00:00
restart
until 09:30:00
expect on-sale done
expect messages 3
