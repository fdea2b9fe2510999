# A slow channel does not carry a reminder past the moment that it reminds of: who is left by then is withheld.
now 2027-03-26T06:00:00Z
rule reminder, when: 1m before sale_start
crowd 20
define hall start=09:00:00
post slow 10s
post window 1
never before 08:59:00
start
until 08:59:59
expect reminder sending
until 09:02:00
expect reminder done
expect count reminder accepted 12
expect withheld reminder 8 expired
expect messages 12
