# Released, but its notifier was asked to wait: before any claim a reload changes what the rule says and whom it asks.
# They are read, nobody else is told; and as it has begun then, it ends, whatever another reload says.
now 2027-03-26T08:00:00Z
audience fans
audience door
person ann@example.org
person bob@example.org subscribed door
person dot@example.org subscribed door
rule on-sale, audiences: [fans], never: {events: [other]}, retry: {attempts: 1, first: 10s, cap: 10s}
rule first, audiences: [fans], only: {events: [other]}
define early event=other start=08:58:00
define hall start=09:00:00
post throttle * 5m 1
start
until 09:00:02
expect on-sale/festival sending
expect count on-sale/festival planned 1
post later dot@example.org 451 5
rule on-sale, audiences: [door], never: {events: [other]}, retry: {attempts: 20, first: 10s, cap: 10s}
reload
until 09:03:02
expect count on-sale/festival accepted 1
expect count on-sale/festival waiting 1
rule on-sale, audiences: [door], never: {events: [other]}, retry: {attempts: 1, first: 10s, cap: 10s}
reload
until 09:20:00
expect on-sale/festival done
expect told ann@example.org 1
expect told bob@example.org 1
expect told dot@example.org 1
expect withheld on-sale/festival 1 left
