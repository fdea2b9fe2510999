# The event is cancelled while people are being told: the rest is withheld, and the operators hear how it ended.
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
  - {name: mail, plugin: desk, desk: DESK, doubt_max: 1, from: Arena <tickets@arena.example>}
rules:
  - {name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale}
.
crowd 10
define hall start=09:00:00
post slow 10s
post window 1
start
until 09:00:35
change hall status=CANCELED
until 09:10:00
expect on-sale withdrawn event off
expect count on-sale waiting 0
expect told ops@arena.example 1
