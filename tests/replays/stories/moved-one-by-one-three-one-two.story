# Three definitions move one by one to a later hour, in the order three, one, two, and the reminder falls due in between:
# one reminder for each instant, one message when the sale opens.
now 2027-03-26T06:00:00Z
rule on-sale
rule reminder, when: 1h before sale_start
person ann@example.org
define one start=09:00:00
define two start=09:00:00
define three start=09:00:00
never before 08:00:00
start
until 07:58:00
change three start=11:00:00
until 07:59:00
change one start=11:00:00
until 08:01:00
expect reminder@09:00:00 done
expect told ann@example.org 1
change two start=11:00:00
until 09:30:00
expect messages 1
expect on-sale@09:00:00 withdrawn moved
until 10:30:00
expect reminder@11:00:00 done
expect messages 2
until 11:30:00
expect on-sale@11:00:00 done
expect messages 3
