# The power fails in the middle, and the next start knows the rule no more: the notice ends, and whoever was in its hands is in
# doubt; nobody waits for ever.
now 2027-03-26T08:00:00Z
rule on-sale
rule other, when: 1h before sale_end
crowd 20
define hall start=09:00:00
post slow 2s
post window 2
start
until 09:00:03
crash
no-rule on-sale
start
until 09:10:00
expect on-sale withdrawn rule removed
expect count on-sale claimed 0
expect count on-sale in_doubt 4
audit
