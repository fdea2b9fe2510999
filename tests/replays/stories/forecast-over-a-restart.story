# How fast the notifier was is known after a restart: the forecast of the next sale stays what it was.
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
restart
until 09:45:00
expect forecast on-sale/second 10000 fits
