# The sale moves while its people wait for the pace: when the first is told of the old moment, the new one was planned
# long ago. It asks for a word all the same.
now 2027-03-26T08:52:00Z
notifier rate: 6/h
crowd 2
define hall start=09:00:00
define stand start=09:00:00
start
until 09:01:00
expect on-sale@09:00:00 sending
expect messages 0
change stand start=09:05:00
sync
until 09:04:00
expect messages 1
until 09:06:00
expect on-sale@09:05:00 held already told
