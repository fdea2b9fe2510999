# A ticket is deleted after everybody was told and made again under another id with the same start: the moment is the
# same, so nobody hears of it twice.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
expect messages 1
change hall deleted=yes
define hall-2 start=09:00:00
until 12:00:00
expect messages 1
expect on-sale done
