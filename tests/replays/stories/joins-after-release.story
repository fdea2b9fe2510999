# Who joins after the release is not told by this notice.
now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:00:30
person bob@example.org
until 12:00:00
expect messages 1
