# The rule's audience is replaced by another when its people were already gathered, and the new one cannot be read: those
# who were gathered are not this rule's people any more, so nobody is told before the new ones are known.
now 2027-03-26T08:00:00Z
audience fans
audience door
rule on-sale, audiences: [fans]
person ann@example.org subscribed fans
define hall start=09:00:00
start
until 08:55:00
expect on-sale ready
rule on-sale, audiences: [door]
lose door
reload
until 09:05:00
expect messages 0
expect on-sale held consent
person dot@example.org subscribed door
until 09:10:00
expect told ann@example.org 0
expect told dot@example.org 1
