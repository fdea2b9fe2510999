# 03:30 on the night when clocks go forward at three in Vilnius: that minute does not exist, so the later one counts.
now 2027-03-26T06:00:00Z
rule reminder, when: "03:30 the day before sale_start"
person ann@example.org
define hall start=2027-03-29T07:00:00Z zone=Europe/Vilnius
never before 2027-03-28T01:30:00Z
start
expect due reminder 2027-03-28T01:30:00Z
until 2027-03-28T02:00:00Z
expect messages 1
