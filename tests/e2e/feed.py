#!/usr/bin/env python3
"""What is stored is shown, once all of it is there: a calendar that was stored in the moment in which the daemon was killed, before
anybody was shown it, is there at the next start; `onsale feed` writes the same bytes with a daemon and without one."""

import re
import sqlite3

import small

EVENT = "BEGIN:VEVENT\r\nUID:{uid}\r\nSEQUENCE:3\r\nDTSTART:{start}\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"


def feed(b, *arguments):
    done = b.run("feed", *arguments)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    return done.stdout


def store(b):
    """As the daemon's own transaction would: behind it, it was killed."""
    with sqlite3.connect(b.path("onsale.db")) as db:
        openings = db.execute("SELECT id, opens_at FROM opening ORDER BY id").fetchall()
        assert openings, "no opening is known"
        for number, at in openings:
            uid = f"00000000-0000-8000-8000-{number:012d}"
            text = EVENT.format(uid=uid, start="20270326T080000Z", title="Stored")
            db.execute("INSERT INTO calendar_entry VALUES(?, ?, 3, 1000, 2000, ?, NULL, 0, ?, 'Stored', '', '', '', ?)",
                       (number, uid, at, at + 10**10, text))
        db.execute("INSERT INTO calendar_change VALUES('arena', '', 2000), ('arena', 'summer-night', 2000)")
        db.execute("INSERT INTO calendar_published VALUES('arena')")
    return len(openings)


def early(b):
    """A part of the first calendar is none."""
    for arguments in [], ["--event", "summer-night"]:
        done = b.run("feed", *arguments)
        assert done.returncode == 1 and done.stdout == "" and "is not there as a whole yet" in done.stderr, done


def test(b):
    b.sale(86400)
    b.start()
    b.wait(lambda: len(b.json("openings")) == 1)
    assert b.json("openings")[0]["calendar"] is None
    early(b)
    b.daemon.kill()
    b.daemon.wait()
    b.daemon = None
    early(b)
    count = store(b)
    alone, event = feed(b, "--site", "arena"), feed(b, "--event", "summer-night")
    assert alone.count("BEGIN:VEVENT") == count and "SUMMARY:Stored" in alone, alone
    assert re.search(r"^NAME:Ticket sales – Arena: Stored$", event, re.M), event
    assert b.json("openings")[0]["calendar"] == {"uid": "00000000-0000-8000-8000-000000000001", "sequence": 3,
                                                 "modified_at": "1970-01-01T00:00:02.000Z", "shown": True}
    open(b.path("log"), "w", encoding="utf-8").close()
    b.start()
    assert feed(b, "--site", "arena") == alone and feed(b, "--event", "summer-night") == event
    for arguments, says in (["--site", "arenas"], 'did you mean "arena"?'), (["--event", "nobody"], "was ever shown"):
        wrong = b.run("feed", *arguments)
        assert wrong.returncode == 1 and says in wrong.stderr, wrong
    b.stop()
    b.write("onsale.yaml", open(b.path("onsale.yaml"), encoding="utf-8").read().replace("language: en", "language: en, feed: {public: false}"))
    b.start()
    assert feed(b) == alone
    link = b.run("feeds", "add", "press")
    assert link.returncode == 0 and re.fullmatch(r"/feeds/t/[A-Za-z0-9_-]{24}\.ics\n", link.stdout), link
    assert "http.public_url is not configured" in link.stderr and "https://YOUR.HOST" + link.stdout.strip() in link.stderr, link
    wrong = b.run("feed", "arena")
    assert wrong.returncode == 2, wrong
    b.stop()


if __name__ == "__main__":
    small.main(test)
