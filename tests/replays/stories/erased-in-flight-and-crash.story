# In flight when the power fails: in doubt, as anybody.
now 2027-03-26T08:00:00Z
crowd 3
define hall start=09:00:00
post slow 5s
start
until 09:00:02
erase fan2@example.org
crash
start
until 09:10:00
expect on-sale done
expect count on-sale in_doubt 3
expect known fan2@example.org no
