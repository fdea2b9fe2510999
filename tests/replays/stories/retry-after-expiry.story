# The notifier's deadline was over while most still waited: a retry of the refused must not wake all the others.
now 2027-03-26T08:00:00Z
notifier deadline: 1m, doubt_max: 1
crowd 20
define hall start=09:00:00
post slow 10s
post window 1
post refuse fan1@example.org 552
start
until 09:05:00
expect on-sale done
expect count on-sale refused 1
refused retry on-sale
post kind
retry on-sale withheld expired
until 09:10:00
expect on-sale done
expect count on-sale refused 1
expect count on-sale accepted 19
