# Everybody is put off once, more people than are kept in memory: the others are read from the ledger when it is their turn.
now 2027-03-26T08:00:00Z
crowd 70000
rule on-sale, retry: {attempts: 8, first: 1m, cap: 1m}
define hall start=09:00:00
post window 5000
post later * 451 70000
start
until 09:00:00
until 09:05:00
expect on-sale done
expect count on-sale accepted 70000
