# The second read fails, and the first is older than consent_max_age: held until the people can be read again.
now 2027-03-26T08:00:00Z
rule on-sale, gather_ahead: 30m, consent_max_age: 10m
person ann@example.org
define hall start=09:00:00
start
until 08:45:00
lose fans
until 09:02:00
expect messages 0
expect on-sale held consent
person ann@example.org
until 09:05:00
expect messages 1
expect on-sale done
