# Sydney goes forward in October and back in April.
now 2027-04-01T06:00:00Z
rule reminder, when: "02:30 the day before sale_start"
person ann@example.org
define autumn start=2027-04-05T00:00:00Z zone=Australia/Sydney
define spring event=other start=2027-10-04T00:00:00Z zone=Australia/Sydney
start
expect due reminder/festival 2027-04-03T15:30:00Z
expect due reminder/other 2027-10-02T16:30:00Z
until 2027-04-03T15:31:00Z
expect messages 1
until 2027-10-02T16:31:00Z
expect messages 2
