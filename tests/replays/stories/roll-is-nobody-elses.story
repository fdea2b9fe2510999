# A notice handed its people on, came back and got a list of its own; after a restart a new notice of another event must
# not get that list's number: who left before its own read is not told.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:55:00
expect on-sale ready
change hall start=09:30:00
until 08:55:30
define stand start=09:00:00
until 08:56:00
restart
define other event=party start=10:00:00
until 09:01:00
expect on-sale/festival@09:00:00 done
expect told bob@example.org 1
forget bob@example.org
until 10:05:00
expect on-sale/party@10:00:00 done
expect told bob@example.org 1
expect told ann@example.org 3
