# All of it had been told, so it waits for a word; then a ticket joins that nobody was told of, and no word is needed.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
change hall start=09:30:00
until 09:31:00
expect on-sale@09:30:00 held already told
define loge start=09:30:00
until 09:40:00
expect on-sale@09:30:00 done
expect messages 2
