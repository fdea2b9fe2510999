# Fifty people beside a thousand, at one instant on one notifier: they have their half until all fifty are told.
now 2027-03-26T07:00:00Z
rule many, only: {titles: ["Big*"]}
rule few, only: {titles: ["Small*"]}, audiences: [door]
audience fans
audience door
crowd 1000 fans
crowd 50 door
define hall event=big title=Big start=09:00:00
define loge event=small title=Small start=09:00:00
post slow 1s
post window 10
start
until 09:00:07
expect few done
expect many sending
until 09:02:00
expect many done
expect messages 1050
