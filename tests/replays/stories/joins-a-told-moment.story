# A ticket joins a moment that was told already: the notice is the same.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:05:00
define loge start=09:00:00
until 12:00:00
expect messages 1
expect notices 1
