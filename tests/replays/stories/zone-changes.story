# The event moves to another zone: the reminder of the day before is due at that zone's hour.
now 2027-06-01T06:00:00Z
rule reminder, when: "18:00 the day before sale_start"
person ann@example.org
define hall start=2027-06-10T14:00:00Z zone=Europe/Vilnius
start
expect due reminder 2027-06-09T15:00:00Z
until 2027-06-02T06:00:00Z
change hall zone=America/New_York
until 2027-06-02T06:01:00Z
expect due reminder 2027-06-09T22:00:00Z
never before 2027-06-09T22:00:00Z
until 2027-06-09T22:01:00Z
expect messages 1
