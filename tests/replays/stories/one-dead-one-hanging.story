# Three notifiers: one refuses, one never answers, one is well. The third tells its people as if it were alone.
now 2027-03-26T08:00:00Z
config
store: sqlite:FOLDER/onsale.db
sender: {name: Arena, postal_address: "Street 1", contact: help@arena.example}
sites:
  - {name: arena, source: file, path: definitions.json, poll_every: 10s, time_zone: Europe/Vilnius}
audiences:
  - {name: fans, source: file, path: fans.csv}
  - {name: gone, source: file, path: gone.csv}
  - {name: deaf, source: file, path: deaf.csv}
notifiers:
  - {name: dead, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>}
  - {name: hanging, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>}
  - {name: mail, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>, rate: 100/s}
rules:
  - {name: to-dead, when: sale_start, audiences: [gone], notify: [dead], template: on-sale}
  - {name: to-hanging, when: sale_start, audiences: [deaf], notify: [hanging], template: on-sale}
  - {name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale}
.
crowd 200 fans
crowd 200 gone dead.example
crowd 200 deaf deaf.example
define hall start=09:00:00
post slow 100ms
post window 10
post down *@dead.example
post hang *@deaf.example
start
until 09:00:03
expect on-sale done
expect first on-sale 09:00:00
expect last on-sale 09:00:01.700
expect count on-sale accepted 200
expect channel dead failing
expect channel hanging well
expect to-dead sending
expect count to-dead waiting 200
expect to-hanging sending
expect count to-hanging claimed 20
expect attempts 20 *@deaf.example
