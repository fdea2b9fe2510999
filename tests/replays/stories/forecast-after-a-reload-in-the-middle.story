# Receivers have become slow: what was seen of it in the middle of a sale is not forgotten by a reload.
now 2027-03-26T07:00:00Z
crowd 1000
rule on-sale, finish_within: 30s
define hall event=first start=08:00:00
define loge event=second start=09:00:00
define stalls event=third start=12:00:00
post slow 100ms
post window 10
start
until 08:30:00
expect forecast on-sale/third 10000 fits
post slow 2s
until 09:01:30
notifier deadline: 5h
reload
until 09:01:35
expect on-sale/second sending
expect forecast on-sale/third some misfit
