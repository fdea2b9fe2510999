# The oldest definition is hidden five minutes after everybody was told, then deleted: nobody hears anything more.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
person cyd@example.org unsubscribed
define early start=09:00:00
define late start=09:00:00
never before 09:00:00
start
until 08:59:59
expect messages 0
until 09:01:00
expect on-sale done
expect messages 2
until 09:05:00
change early hidden=yes
until 09:30:00
expect messages 2
expect notices 1
change late deleted=yes
until 11:30:00
expect messages 2
