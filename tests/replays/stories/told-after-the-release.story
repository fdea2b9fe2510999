# Both moments of a sale are released before the pace lets anybody through: who is told of the first is not told of the
# second without a word.
now 2027-03-26T08:52:00Z
notifier rate: 6/h
crowd 2
define hall start=09:00:00
define stand start=09:00:00
start
until 09:00:10
change stand start=09:01:30
sync
until 09:01:50
expect on-sale@09:00:00 sending
expect on-sale@09:01:30 sending
expect messages 0
pause on-sale@09:01:30
until 09:03:00
expect count on-sale@09:00:00 accepted 1
resume on-sale@09:01:30
until 09:25:00
expect on-sale@09:01:30 held already told
expect on-sale@09:00:00 done
expect messages 2
refused release on-sale@09:01:30
release-anyway on-sale@09:01:30
until 10:00:00
expect on-sale@09:01:30 done
expect messages 4
