# After an outage over the moment and its catch-up the operators hear that nobody was told.
now 2027-03-26T08:00:00Z
config
store: sqlite:FOLDER/onsale.db
sender: {name: Arena, postal_address: "Street 1", contact: help@arena.example}
operators: [ops@arena.example]
sites:
  - {name: arena, source: file, path: definitions.json, poll_every: 10s, time_zone: Europe/Vilnius}
audiences:
  - {name: fans, source: file, path: fans.csv}
notifiers:
  - {name: mail, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>}
rules:
  - {name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale}
.
person ann@example.org
define hall start=09:00:00
start
until 08:30:00
stop
until 11:00:00
start
until 11:10:00
expect on-sale missed late
expect told ops@arena.example 1
