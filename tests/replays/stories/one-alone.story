# Beside one-dead-one-hanging: the same notifier, alone.
now 2027-03-26T08:00:00Z
config
store: sqlite:FOLDER/onsale.db
sender: {name: Arena, postal_address: "Street 1", contact: help@arena.example}
sites:
  - {name: arena, source: file, path: definitions.json, poll_every: 10s, time_zone: Europe/Vilnius}
audiences:
  - {name: fans, source: file, path: fans.csv}
notifiers:
  - {name: mail, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>, rate: 100/s}
rules:
  - {name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale}
.
crowd 200 fans
define hall start=09:00:00
post slow 100ms
post window 10
start
until 09:00:03
expect on-sale done
expect first on-sale 09:00:00
expect last on-sale 09:00:01.700
expect count on-sale accepted 200
