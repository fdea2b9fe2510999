# 03:30 comes twice on the night when clocks go back in Vilnius: the first one counts.
now 2027-10-29T06:00:00Z
rule reminder, when: "03:30 the day before sale_start"
person ann@example.org
define hall start=2027-11-01T08:00:00Z zone=Europe/Vilnius
never before 2027-10-31T00:30:00Z
start
expect due reminder 2027-10-31T00:30:00Z
until 2027-10-31T03:00:00Z
expect messages 1
