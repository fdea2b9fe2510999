# Two definitions whose sales end at different hours: two notices before each end.
now 2027-03-26T06:00:00Z
rule ending, when: 1h before sale_end
person ann@example.org
define hall start=2027-03-20T09:00:00Z end=12:00:00
define loge start=2027-03-20T09:00:00Z end=14:00:00
never before 11:00:00
start
expect notices 2
until 12:30:00
expect messages 1
expect first ending@12:00:00 11:00:00
until 14:30:00
expect messages 2
expect first ending@14:00:00 13:00:00
