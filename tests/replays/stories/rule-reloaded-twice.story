# A rule that came by reload at eight is ours at nine, whatever was reloaded in between: a ticket that is put to nine at a
# minute past is late, not before our time.
now 2027-03-26T07:00:00Z
rule other, when: 1h after sale_start
person ann@example.org
define hall start=12:00:00
start
until 08:00:00
rule on-sale
reload
until 09:00:30
reload
until 09:01:00
change hall start=09:00:00
until 09:05:00
expect on-sale@09:00:00 done
expect messages 1
