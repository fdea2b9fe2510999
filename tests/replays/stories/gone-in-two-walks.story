# Two complete walks in a row miss it while the site does not answer questions about it: then it is gone.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
change hall deleted=yes
until 08:31:00
expect on-sale withdrawn gone
change hall deleted=no
until 09:10:00
expect messages 1
expect on-sale done
