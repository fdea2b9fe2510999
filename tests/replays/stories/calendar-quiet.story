# A calendar shows an opening when its event has been quiet for a minute, and what it says when that has been.
now 2027-03-26T08:00:00Z
define hall title=Summer start=10:00:00
start
until 08:00:59
expect calendar 0 1
until 08:01:00
expect calendar 1 2
expect event 10:00:00 0 CONFIRMED SUMMARY:On sale: Summer
expect event 10:00:00 0 CONFIRMED TRIGGER:-PT10M
until 08:10:00
change hall title=Winter
until 08:11:00
expect event 10:00:00 0 CONFIRMED SUMMARY:On sale: Summer
until 08:11:30
expect event 10:00:00 1 CONFIRMED SUMMARY:On sale: Winter
expect calendar 1 3
