# Hidden and shown again after its people were read: they are read anew, and once more right before the moment.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define hall start=09:00:00
start
until 08:52:00
expect on-sale ready
change hall hidden=yes
until 08:52:30
expect on-sale withdrawn hidden
change hall hidden=no
until 08:54:00
expect on-sale ready
forget bob@example.org
until 09:05:00
expect on-sale done
expect told ann@example.org 1
expect told bob@example.org 0
