# The oldest definition is deleted five minutes after everybody was told: nobody hears anything more. Later the other
# one goes as well.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
define early start=09:00:00
until 08:10:00
define late start=09:00:00
never before 09:00:00
start
until 09:01:00
expect messages 2
until 09:05:00
change early deleted=yes
until 09:30:00
expect messages 2
expect notices 1
change late deleted=yes
until 2027-03-27T09:00:00Z
expect messages 2
expect on-sale done
