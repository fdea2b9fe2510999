# Released, but its notifier was asked to wait; a reload gives the rule another one, and half of the people have their
# message when the power fails. Whose claims they are is known: nobody is told a second time.
now 2027-03-26T08:00:00Z
crowd 20
beside post
rule on-sale, notify: [mail], never: {events: [other]}
rule first, notify: [mail], only: {events: [other]}
define early event=other start=08:58:00
define hall start=09:00:00
post throttle * 5m 1
start
until 09:00:02
expect on-sale/festival sending
expect attempts 1
rule on-sale, notify: [post], never: {events: [other]}
post slow 1s
post window 1
reload
until 09:00:06
crash
start
until 09:20:00
expect on-sale/festival done
expect letter 2 fan1@example.org post@
expect letter 21 fan20@example.org post@
expect count on-sale/festival waiting 0
audit
