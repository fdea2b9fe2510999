# Three hundred events go on sale at one instant: each is told, once.
now 2027-03-26T08:00:00Z
crowd 3
many 300 show start=09:00:00
never before 09:00:00
start
expect notices 300
until 09:05:00
expect messages 900
expect told fan2@example.org 300
