# An event that changes all the time is shown after ten minutes.
now 2027-03-26T06:00:00Z
define hall title=T0 start=12:00:00
start
until 06:30:00
change hall title=T1
until +50s
change hall title=T2
until +50s
change hall title=T3
until +50s
change hall title=T4
until +50s
change hall title=T5
until +50s
change hall title=T6
until +50s
change hall title=T7
until +50s
change hall title=T8
until +50s
change hall title=T9
until +50s
change hall title=T10
until +50s
change hall title=T11
until +50s
change hall title=T12
expect calendar 1 2
until +65s
expect event 12:00:00 1 CONFIRMED SUMMARY:On sale: T12
until 06:50:00
expect calendar 1 3
