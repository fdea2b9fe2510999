# Everything is sold before it opens to everybody: send.
now 2027-03-26T08:00:00Z
rule on-sale, if_sold_out: send
person ann@example.org
define hall start=09:00:00
define loge start=09:00:00
start
until 08:58:00
change hall soldout=yes
change loge soldout=yes
until 09:01:00
expect on-sale done
expect messages 1
