# Definitions without dates: on sale from the beginning, or without an end. There is nothing to say of what has no time.
now 2027-03-26T08:00:00Z
rule on-sale
rule ending, when: 1h before sale_end
person ann@example.org
define always
define open-end start=09:00:00
define no-start end=12:00:00
start
until 2027-03-27T08:00:00Z
expect notices 2
expect on-sale@2027-03-26T09:00:00Z done
expect ending@2027-03-26T12:00:00Z done
expect messages 2
