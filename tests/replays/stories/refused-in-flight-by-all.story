# Twenty refusals in a row are a fault of ours. Who was on their way at that moment is not charged either.
now 2027-03-26T08:00:00Z
crowd 200
define hall start=09:00:00
post window 30
post slow 1s
post refuse *
start
until 09:00:30
expect on-sale held message
expect count on-sale refused 20
expect count on-sale waiting 180
post kind
retry on-sale refused 550
release on-sale
until 09:10:00
expect on-sale done
expect count on-sale accepted 200
expect messages 200
