# Everybody of an early notice was put off and is due again when another sale opens: that one goes first, and the others
# have their part.
now 2027-03-26T07:00:00Z
rule on-sale, retry: {attempts: 20, first: 1ms, cap: 1ms}
crowd 100
define hall event=early start=08:59:55
define loge event=now start=09:00:00
post slow 100ms
post window 4
post later * 451
start
until 09:00:00
post kind
post slow 100ms
until 09:00:02
expect on-sale/now done
expect on-sale/early sending
until 09:00:10
expect on-sale/early done
expect messages 200
