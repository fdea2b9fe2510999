# Stopped in the middle, and started with another "from" for its notifier: whoever is left hears from the new one, once.
now 2027-03-26T08:00:00Z
crowd 20
define hall start=09:00:00
post slow 1s
post window 1
start
until 09:00:04
stop
expect messages 10
expect letter 1 fan1@example.org tickets@
notifier from: Hall <hall@arena.example>
start
until 09:20:00
expect on-sale done
expect messages 20
expect letter 20 fan20@example.org hall@
audit
