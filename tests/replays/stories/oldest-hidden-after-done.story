# The oldest definition is hidden five minutes after everybody was told: nobody hears anything more.
now 2027-03-26T08:00:00Z
person ann@example.org
person bob@example.org
person cyd@example.org unsubscribed
define early start=09:00:00
until 08:10:00
define late start=09:00:00
never before 09:00:00
start
until 08:59:59
expect messages 0
until 09:01:00
expect on-sale done
expect first on-sale 09:00:00
expect messages 2
expect told cyd@example.org 0
until 09:05:00
change early hidden=yes
until 2027-03-27T09:30:00Z
expect messages 2
expect notices 1
