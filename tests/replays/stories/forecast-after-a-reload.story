# A reload lowers what the notifier may have in flight, and then what it may send: how long an answer takes is known by
# then, and the forecast of the next sale follows.
now 2027-03-26T07:00:00Z
crowd 1000
define hall event=first start=08:00:00
define loge event=second start=12:00:00
post slow 100ms
post window 10
start
until 09:30:00
expect on-sale/first done
expect forecast on-sale/second 10000 fits
post window 5
notifier deadline: 5h
reload
until 09:45:00
expect forecast on-sale/second 20000 fits
notifier deadline: 5h, rate: 50/min
reload
until 09:50:00
expect forecast on-sale/second 1200000 misfit
