# An event that names no zone, or one that nobody knows: the site's counts.
now 2027-06-01T06:00:00Z
site time_zone: America/New_York
rule reminder, when: "18:00 the day before sale_start"
person ann@example.org
define hall start=2027-06-10T14:00:00Z
define loge event=other start=2027-06-10T14:00:00Z zone=Mars/Olympus
start
expect due reminder/festival 2027-06-09T22:00:00Z
expect due reminder/other 2027-06-09T22:00:00Z
until 2027-06-09T22:01:00Z
expect messages 2
