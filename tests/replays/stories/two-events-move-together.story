# Two events move at the same instant to the same instant: they stay two.
now 2027-03-26T06:00:00Z
person ann@example.org
define hall start=09:00:00
define club event=other start=09:00:00
start
until 08:55:00
change hall start=09:10:00
change club start=09:10:00
never before 09:10:00
until 09:20:00
expect messages 2
expect on-sale/festival@09:10:00 done
expect on-sale/other@09:10:00 done
