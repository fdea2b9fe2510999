# A reload asks for one attempt alone: a notice that has begun ends by the patience it began with, the next does not.
now 2027-03-26T08:00:00Z
crowd 5
rule on-sale, retry: {attempts: 8, first: 10s, cap: 10s}
define hall start=09:00:00
define loge event=other start=09:20:00
post later fan2@example.org 451 3
start
until 09:00:01
expect on-sale/festival sending
rule on-sale, retry: {attempts: 1, first: 10s, cap: 10s}
reload
until 09:10:00
expect on-sale/festival done
expect count on-sale/festival accepted 5
expect count on-sale/festival withheld 0
post later fan2@example.org 451 3
until 09:40:00
expect on-sale/other done
expect count on-sale/other accepted 4
expect count on-sale/other withheld 1
audit
