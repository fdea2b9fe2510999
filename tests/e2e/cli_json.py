#!/usr/bin/env python3
"""The JSON that programs rely on (design of the command line): every documented key is there, of its type, and the same with
a running daemon and without one."""

import csv
import email
import email.policy
import io
import re

import small

MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class Moment:
    pass


class Maybe:
    def __init__(self, what):
        self.what = what


COUNTS = {"planned": int, "waiting": int, "accepted": int, "refused": int, "in_doubt": int, "withheld": int}
NOTICE = {"id": int, "site": str, "event_id": str, "event_title": Maybe(str), "opening_id": Maybe(int), "rule": str,
          "kind": str, "edition": int, "state": str, "reason": Maybe(str), "paused": bool, "opens_at": Moment,
          "due_at": Moment, "estimate": Maybe(int), "counts": COUNTS, "by_channel": dict,
          "first_handover_at": Maybe(Moment), "last_handover_at": Maybe(Moment), "late_ms": Maybe(int)}
OPENING = {"id": int, "site": str, "event_id": str, "event_title": Maybe(str), "opens_at": Moment, "state": str,
           "definitions": [{"id": str, "name": Maybe(str), "price": Maybe(str), "currency": Maybe(str)}],
           "notices": [int], "estimate": Maybe(int)}
REASON = {"state": str, "reason": Maybe(str), "channel": Maybe(str), "code": Maybe(int), "text": Maybe(str), "count": int}
SHOW = {**NOTICE, "reasons": [REASON], "gate": [{"at": Moment, "evidence": dict}],
        "percentiles_ms": Maybe({"median": int, "p99": int, "last": int}),
        "seeds": [{"seq": int, "state": str, "at": Maybe(Moment)}],
        "pauses": [{"target": str, "who": str, "at": Moment}], "again": {"people": int, "next_at": Maybe(Moment)}}
WHY = {"address": str, "suppressed": [{"scope": str, "reason": str, "at": Moment}],
       "notices": [{"notice": int, "rule": str, "event_id": str, "event_title": Maybe(str), "state": str,
                    "reason": Maybe(str),
                    "steps": [{"at": Moment, "channel": Maybe(str), "attempt": Maybe(int), "what": str}]}]}
PERSON = {"seq": int, "source": str, "source_id": str, "address": str, "state": str, "reason": Maybe(str),
          "channel": Maybe(str), "code": Maybe(int), "text": Maybe(str), "at": Maybe(Moment)}


def fits(value, shape, place):
    if isinstance(shape, Maybe):
        if value is not None:
            fits(value, shape.what, place)
    elif shape is Moment:
        assert isinstance(value, str) and MOMENT.match(value), f"{place}: {value!r} is no moment"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{place}: {value!r} is no list"
        for i, item in enumerate(value):
            fits(item, shape[0], f"{place}[{i}]")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), f"{place}: {value!r} is no object"
        for key, what in shape.items():
            assert key in value, f"{place}: no {key}"
            fits(value[key], what, f"{place}.{key}")
    else:
        assert type(value) is shape, f"{place}: {value!r} is no {shape.__name__}"


def ask_all(b):
    return {"notices": b.json("notices"), "openings": b.json("openings"), "show 1": b.json("show", "1"),
            "show 2": b.json("show", "2"), "people": b.json("people", "1"),
            "withheld": b.json("people", "1", "--state", "withheld"), "none": b.json("people", "2"),
            "why": b.json("why", "ada@fans.example"), "why not": b.json("why", "carol@fans.example"),
            "nobody": b.json("why", "nobody@fans.example"),
            "other event": b.json("why", "ada@fans.example", "--event", "elsewhere"), "audit": b.json("audit"),
            "csv": b.run("people", "1", "--csv").stdout}


def check_shapes(answers):
    fits(answers["notices"], [NOTICE], "notices")
    fits(answers["openings"], [OPENING], "openings")
    fits(answers["show 1"], SHOW, "show 1")
    fits(answers["show 2"], SHOW, "show 2")
    fits(answers["people"], [PERSON], "people")
    fits(answers["why"], WHY, "why")
    fits(answers["nobody"], WHY, "nobody")
    fits(answers["audit"], {"checked": dict, "problems": [str]}, "audit")


def check_values(answers):
    notice = answers["notices"][0]
    assert notice["counts"] == {"planned": 3, "waiting": 0, "accepted": 2, "refused": 0, "in_doubt": 0, "withheld": 1}, notice
    assert notice["late_ms"] >= 0 and notice["by_channel"]["mail"]["accepted"] == 2
    assert notice["opening_id"] == answers["openings"][0]["id"] and 1 in answers["openings"][0]["notices"]
    assert [d["id"] for d in answers["openings"][0]["definitions"]] == ["early", "late"]
    assert answers["show 1"]["gate"][0]["evidence"]["definitions"] == {"early": "open", "late": "open"}
    assert {(r["state"], r["reason"], r["count"]) for r in answers["show 1"]["reasons"]} == \
        {("withheld", "suppressed", 1)}, answers["show 1"]["reasons"]
    assert answers["show 1"]["seeds"][0]["state"] == "accepted"
    assert {p["target"] for p in answers["show 2"]["pauses"]} == {"notice:2"} and answers["show 2"]["paused"]
    assert [p["address"] for p in answers["people"]] == ["me@arena.example", "ada@fans.example", "bert@fans.example"], \
        answers["people"]
    assert [p["address"] for p in answers["withheld"]] == ["bert@fans.example"]
    assert answers["none"] == [] and answers["nobody"]["notices"] == [] and answers["other event"]["notices"] == []
    assert [s["what"] for s in answers["why"]["notices"][0]["steps"]] == ["gathered from fans", "claimed", "accepted"]
    assert [(n["state"], n["reason"]) for n in answers["why not"]["notices"]] == [("left out", "opted out")]
    rows = list(csv.DictReader(io.StringIO(answers["csv"], newline="")))
    assert [r["address"] for r in rows] == [p["address"] for p in answers["people"]]
    assert answers["audit"]["problems"] == []


def previews(b):
    """The exact message: of somebody the ledger knows, with their name, language and zone; of a sample otherwise."""
    raw = b.run("preview", "on-sale", "--notice", "1", "--subscriber", "bert@fans.example")
    assert raw.returncode == 0 and raw.stderr == "", raw
    mail = email.message_from_string(raw.stdout, policy=email.policy.default)
    assert mail["To"] == "Bert Maier <bert@fans.example>" and "Summer Night" in mail["Subject"], raw.stdout
    assert "Tickets" in mail.get_body(("plain",)).get_content() and mail.get_body(("html",)) is not None
    assert "MEZ" in mail.get_body(("plain",)).get_content() or "MESZ" in mail.get_body(("plain",)).get_content() \
        or "GMT+1" in mail.get_body(("plain",)).get_content(), mail.get_body(("plain",)).get_content()
    english = b.run("preview", "on-sale", "--notice", "1", "--subscriber", "ada@fans.example").stdout
    sent = [open(path, encoding="utf-8", newline="").read() for path in b.mails()]
    same = [m for m in sent if "To: Ada Nowak <ada@fans.example>" in m]
    assert len(same) == 1 and without_date(same[0]) == without_date(english), (same, english)
    stranger = b.run("preview", "on-sale", "--notice", "1", "--subscriber", "nobody@fans.example")
    assert stranger.returncode == 0 and "is not among the people" in stranger.stderr, stranger
    sample = email.message_from_string(b.run("preview", "ending", "--language", "de").stdout, policy=email.policy.default)
    assert sample["To"] == "Ada Nowak <subscriber@example.org>", sample


def without_date(raw):
    return [line.strip() for line in raw.splitlines() if not line.startswith("Date:")]


def test(b):
    b.sale(3)
    b.start()
    b.wait(lambda: len(b.json("notices")) == 2)
    assert b.run("suppress", "bert@fans.example").returncode == 0
    assert b.run("pause", "2").returncode == 0
    fits(b.json("show", "1"), SHOW, "before")
    b.wait(lambda: b.state(1) == "done")
    with_daemon = ask_all(b)
    check_shapes(with_daemon)
    check_values(with_daemon)
    previews(b)
    b.stop()
    previews(b)
    without = ask_all(b)
    for key, answer in with_daemon.items():
        assert without[key] == answer, f"{key}: {answer} with a daemon, {without[key]} without"


small.main(test)
