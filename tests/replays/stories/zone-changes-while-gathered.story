# The zone changes when the reminder was about to go: it waits for the new hour.
now 2027-06-09T06:00:00Z
rule reminder, when: "18:00 the day before sale_start"
person ann@example.org
define hall start=2027-06-10T14:00:00Z zone=Europe/Vilnius
start
until 14:58:00
expect reminder ready
change hall zone=America/New_York
never before 22:00:00
until 22:01:00
expect messages 1
