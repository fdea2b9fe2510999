# One of two is sold out: the other is open.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
define loge start=09:00:00
start
until 08:58:00
change hall soldout=yes
until 09:01:00
expect on-sale done
expect messages 1
