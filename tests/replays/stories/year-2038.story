# Beyond the last second of 32 bits.
now 2038-01-18T03:00:00Z
rule on-sale
rule reminder, when: 1h before sale_start
person ann@example.org
define hall start=2038-01-19T03:14:08Z end=2039-01-01T00:00:00Z
start
expect due on-sale 2038-01-19T03:14:08Z
until 2038-01-19T03:14:07Z
expect messages 1
until 2038-01-19T03:14:08Z
expect messages 2
