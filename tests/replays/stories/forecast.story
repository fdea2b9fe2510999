# A thousand people at 100 a minute are no five minutes: said as soon as they are counted. A faster notifier makes it fit,
# a second sale at that instant takes its half, and what was gathered counts more than what was expected.
now 2027-03-26T07:00:00Z
rule on-sale, finish_within: 5m
notifier rate: 100/min
crowd 1000
define hall start=09:00:00
start
until 07:01:00
expect forecast on-sale 600000 misfit
restart
until 07:02:00
expect forecast on-sale 600000 misfit
notifier rate: 1000/min
reload
until 07:03:00
expect forecast on-sale 60000 fits
define loge event=other start=09:00:00
sync
until 08:10:00
expect forecast on-sale/other 120000 fits
expect forecast on-sale/festival 120000 fits
crowd 3000
until 08:51:00
expect forecast on-sale/other 360000 misfit
until 09:30:00
expect on-sale/other done
