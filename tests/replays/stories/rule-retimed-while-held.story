# Held by an operator when a reload gives its rule another time: released, it waits for that.
now 2027-03-26T08:00:00Z
crowd 5
rule on-sale
define hall start=09:00:00
start
until 08:55:00
hold on-sale
rule on-sale, when: 10m after sale_start
reload
never before 09:10:00
until 09:01:00
expect due on-sale 09:10:00
release on-sale
until 09:05:00
expect on-sale ready
until 09:20:00
expect on-sale done
expect messages 5
