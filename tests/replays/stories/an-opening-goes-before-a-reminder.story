# At nine one sale opens, and another's reminder is due: the opening has six of seven while it needs them, the reminder
# goes on beside it.
now 2027-03-26T07:00:00Z
rule on-sale
rule soon, when: 1h before sale_start, only: {titles: ["Later"]}
crowd 200
define hall event=now start=09:00:00
define loge event=later title=Later start=10:00:00
post slow 100ms
post window 4
start
until 09:00:03
expect first on-sale/now 09:00:00
expect first soon/later 09:00:00
expect on-sale/now done
expect soon/later sending
until 09:00:10
expect soon/later done
expect messages 400
