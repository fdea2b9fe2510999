# What no calendar shows changes nothing: sold out, another word of the source, there and back within a minute.
now 2027-03-26T06:00:00Z
define hall start=12:00:00
start
until 06:10:00
expect calendar 1 2
change hall soldout=yes
until 06:20:00
change hall soldout=no
until 06:30:00
change hall start=13:00:00
until 06:30:30
change hall start=12:00:00
until 06:40:00
expect event 12:00:00 0 CONFIRMED
expect calendar 1 2
restart
until 06:50:00
expect calendar 1 2
reload
until 07:00:00
expect calendar 1 2
crash
start
until 07:10:00
expect event 12:00:00 0 CONFIRMED
expect calendar 1 2
