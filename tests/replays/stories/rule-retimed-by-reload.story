# The rule's time changes: the reminder is due at the new one.
now 2027-03-26T06:00:00Z
rule reminder, when: 1h before sale_start
person ann@example.org
define hall start=09:00:00
start
until 06:30:00
rule reminder, when: 2h before sale_start
reload
never before 07:00:00
expect due reminder 07:00:00
until 07:01:00
expect messages 1
rule reminder, when: 30m before sale_start
reload
until 09:00:00
expect messages 1
