# One person in two audiences, written differently: one message.
now 2027-03-26T08:00:00Z
audience fans
audience door
rule on-sale, audiences: [fans, door]
person ann@example.org subscribed fans
person Ann@EXAMPLE.org subscribed door
define hall start=09:00:00
define loge start=09:00:00
start
until 09:01:00
expect messages 1
