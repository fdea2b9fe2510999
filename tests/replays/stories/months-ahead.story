# Planned ten months before; the daemon is stopped and started now and then.
now 2027-03-26T08:00:00Z
site poll_every: 12h
person ann@example.org
define hall start=2028-02-29T09:00:00Z
start
until 2027-06-01T00:00:00Z
restart
until 2027-12-31T23:59:59Z
crash
until 2028-01-05T00:00:00Z
start
never before 2028-02-29T09:00:00Z
until 2028-02-29T08:59:59Z
expect messages 0
until 2028-02-29T09:00:01Z
expect messages 1
