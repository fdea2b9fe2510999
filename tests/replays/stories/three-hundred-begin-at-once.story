# Three hundred notices at one instant, far more people than the notifier takes at a time: each has told somebody before
# any of them has told many.
now 2027-03-26T07:00:00Z
crowd 20
many 300 show start=09:00:00
post slow 1s
post window 50
start
until 09:00:03
expect begun 300
expect messages 400
until 09:02:00
expect messages 6000
