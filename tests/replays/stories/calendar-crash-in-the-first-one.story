# The power fails when a part of the first calendar is on disk: a part is no calendar, in no later life either.
now 2027-03-26T06:00:00Z
many 1500 show start=12:00:00
start
until 06:00:30
crash
start
expect published no
until 2027-03-26T06:01:30.020Z
expect published no
expect calendar 0 1
crash
start
expect published no
until 06:02:30
expect published no
expect calendar 0 1
until 06:02:31
expect published yes
expect calendar 1500 2
crash
start
expect published yes
until 06:10:00
expect calendar 1500 2
