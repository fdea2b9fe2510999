# The same, but the new audience can be read: it is told, the old one is not.
now 2027-03-26T08:00:00Z
audience fans
audience door
rule on-sale, audiences: [fans]
person ann@example.org subscribed fans
person bob@example.org subscribed fans
person bob@example.org subscribed door
person dot@example.org subscribed door
define hall start=09:00:00
start
until 08:55:00
rule on-sale, audiences: [door]
reload
until 09:05:00
expect told ann@example.org 0
expect told bob@example.org 1
expect told dot@example.org 1
