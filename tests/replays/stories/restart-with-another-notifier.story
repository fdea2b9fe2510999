# Stopped in the middle, and started with a rule that names another notifier: the one that has the claims goes on with all
# of it, and in its own name. The next notice goes by the other one.
now 2027-03-26T08:00:00Z
crowd 20
beside post
rule on-sale, notify: [mail]
define hall start=09:00:00
define loge event=other start=10:00:00
post slow 1s
post window 1
start
until 09:00:04
stop
expect messages 10
rule on-sale, notify: [post]
start
until 09:20:00
expect on-sale/festival done
expect messages 20
expect letter 20 fan20@example.org tickets@
until 10:20:00
expect on-sale/other done
expect letter 21 fan1@example.org post@
audit
