# An audience joins the rule ten minutes after everybody was told: those people hear of the next sale, not of this one.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:10:00
expect messages 1
audience fans
audience door
person dot@example.org subscribed door
rule on-sale, audiences: [fans, door]
reload
until 12:00:00
expect messages 1
define loge start=13:00:00
until 13:10:00
expect told ann@example.org 2
expect told dot@example.org 1
