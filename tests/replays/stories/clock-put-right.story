# The machine's clock is an hour behind, and is put right after the moment: frozen until the site's Date agrees, then told
# late, once.
now 2027-03-26T08:00:00Z
step -1h
dated
person ann@example.org
define hall start=09:00:00
start
until 08:10:00
expect messages 0
step +1h
until 09:10:30
expect frozen no
until 09:11:00
expect messages 1
