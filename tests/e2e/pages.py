#!/usr/bin/env python3
"""More people than one page of the API may have: the command line follows its Links to the end, with a daemon and without one,
says the same both times, and needs no more memory than for a few."""

import json
import os
import resource
import subprocess

import small

MANY = 23000 # pages of the command line have 5000 rows, those of the API 10000 at most
MEMORY = 32 << 20 # a page takes about 10 MB, all of them about 60
SANITIZED = b"__asan_init" in open(os.path.join(small.BUILD, "onsale"), "rb").read()


def rows(b, *arguments):
    """What a command prints that may have no more memory than a few pages of 5000 rows take."""
    def narrow():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

    done = subprocess.run([os.path.join(small.BUILD, "onsale"), *arguments], env=b.environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, preexec_fn=narrow, check=False)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    return done.stdout


def ask(b):
    people = json.loads(rows(b, "people", "1", "--json"))
    assert [person["seq"] for person in people] == list(range(1, MANY + 1)), len(people)
    table = rows(b, "people", "1")
    lines = rows(b, "people", "1", "--csv", "--state", "accepted")
    assert table.count("\n") == MANY + 1 and lines.count("\n") == MANY + 1, (table.count("\n"), lines.count("\n"))
    assert rows(b, "people", "1", "--json", "--state", "withheld") == "[]\n"
    return people, table, lines


def test(b):
    with open(b.path("onsale.yaml"), encoding="utf-8") as file:
        config = file.read()
    b.write("onsale.yaml", config.replace("plugin: outbox, path: mails, from: Arena Tickets <tickets@arena.example>",
                                          "plugin: 'null', from: Arena Tickets <tickets@arena.example>").replace(", seed: [me@arena.example]", ""))
    b.write("people.csv", "email,name,locale,time_zone,status,events,city\n" + "".join(
        f"person{number}@fans.example,Person {number},en,Europe/Vilnius,subscribed,summer-night,Vilnius\n"
        for number in range(MANY)))
    b.sale(8)
    b.start()
    b.wait(lambda: len(b.json("notices")) == 2)
    b.wait(lambda: b.state(1) == "done", 60)
    running = ask(b)
    b.stop()
    assert ask(b) == running


if __name__ == "__main__":
    small.main(test)
