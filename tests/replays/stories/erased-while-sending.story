# Who was told, who is in flight, who waits: each keeps what is theirs, and nobody else is the worse for it.
now 2027-03-26T08:00:00Z
crowd 40
define hall start=09:00:00
post slow 5s
post window 1
start
until 09:00:12
expect on-sale sending
erase fan1@example.org
erase fan5@example.org
erase fan6@example.org
erase fan40@example.org
audit
expect known fan40@example.org no
expect count on-sale withheld 1
until 09:10:00
expect on-sale done
expect messages 39
expect told fan1@example.org 1
expect told fan5@example.org 1
expect told fan40@example.org 0
expect people on-sale 36
