# "Never mail" in one audience counts for all audiences of the rule; a plain no only for its own.
now 2027-03-26T08:00:00Z
audience fans
audience door
rule on-sale, audiences: [fans, door]
person ann@example.org subscribed fans
person bob@example.org subscribed fans
person bob@example.org bounced door
person cyd@example.org subscribed fans
person cyd@example.org unsubscribed door
define hall start=09:00:00
start
until 09:01:00
expect told ann@example.org 1
expect told bob@example.org 0
expect told cyd@example.org 1
