# Our own eyes see it first, on every launch, though they are in no audience.
now 2027-03-26T08:00:00Z
rule on-sale, seed: [eye@arena.example]
crowd 5
define hall start=09:00:00
start
until 09:01:00
expect messages 6
expect letter 1 eye@arena.example
expect told eye@arena.example 1
