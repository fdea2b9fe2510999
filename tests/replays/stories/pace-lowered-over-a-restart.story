# Everybody was told without a limit; then the relay allows sixty an hour: those of the last hour count.
now 2027-03-26T08:00:00Z
crowd 100
define hall start=09:00:00
define late event=second start=09:10:00
rule on-sale
start
until 09:05:00
expect messages 100
stop
notifier rate: 60/h
start
until 09:58:00
expect on-sale/second sending
expect messages 100
until 10:31:00
expect pace 102 1h
crash
start
until 11:31:00
expect messages 193
