# Withdrawn, restarted, and the sale comes back: told once.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 08:20:00
change hall hidden=yes
until 08:30:00
expect on-sale withdrawn hidden
restart
until 08:40:00
change hall hidden=no
never before 09:00:00
until 09:10:00
expect on-sale done
expect messages 1
