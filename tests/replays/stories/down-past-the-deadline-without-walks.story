# Down past the deadline in mid-send, and the site answers the gate but not the walks: nobody is given up before the clock has
# been compared with the site's; then it is over.
now 2027-03-26T08:00:00Z
dated
notifier deadline: 10m
crowd 6
define hall start=09:00:00
post slow 1m
post window 1
start
until 09:01:30
crash
until 09:20:00
silent walks
start
until 09:25:00
expect on-sale sending
answering
until 09:40:00
expect on-sale done
audit
