#!/usr/bin/env python3
"""What one person may ask for: to be forgotten, whatever is under way, and to read all that is held about them."""
import json
import os

from launch import Launch, check, tell


def some(launch, many, after=0):
    """Eligible people of the fake, in the order in which they are read."""
    numbers = sorted(int(address[1:].partition("@")[0]) for address in launch.eligible())
    return ["p%d@example.org" % number for number in numbers[after:after + many]]


def erase(launch, address):
    return launch.ask("erase", address)


def traces(launch, address):
    """Files of the daemon's folder that hold the address: not those of the receivers, nor what this test has written."""
    found = []
    for name in os.listdir(launch.folder):
        if name.startswith("onsale.") or name.startswith("witness"):
            with open(launch.path(name), "rb") if os.path.isfile(launch.path(name)) else open(os.devnull, "rb") as file:
                if address.encode() in file.read():
                    found.append(name)
    return found


def gone(launch, address):
    """Right after the answer: while somebody reads the log it waits for them."""
    launch.until(lambda: not traces(launch, address), "%s to be gone" % address, 10)


def of(launch, address):
    """What `why` says of the only notice."""
    why = launch.ask("why", address)
    check(len(why["notices"]) == 1, "in %d notices", len(why["notices"]))
    return why, why["notices"][0]


def before_the_launch():
    """Erased when everybody is gathered: from the disk at once, and nobody else is the worse for it."""
    with Launch(opens_in=10) as launch:
        launch.rule["gather_ahead"] = "8s"
        launch.run()
        launch.wait("ready")
        eligible = launch.eligible()
        first, second = some(launch, 2)
        check(traces(launch, first), "never was on the disk")
        answer = erase(launch, first)
        check(answer["known"] and answer["withheld"] == 1 and answer["people_rows"] == 1 and answer["in_flight"] == 0,
              "the answer is %s", answer)
        check(any("audience fans" in line for line in answer["cannot_reach"]), "names no audience: %s", answer)
        gone(launch, first)
        check(traces(launch, second), "somebody else is gone, too")
        counts = launch.show()["counts"]
        check(counts["withheld"] == 1 and counts["planned"] == counts["waiting"] + counts["accepted"] + 1, "%s", counts)
        again = erase(launch, first)
        check(again["known"] and not again["withheld"] and not again["people_rows"], "once more: %s", again)
        done = launch.wait("done")
        told = {mail["to"] for mail in launch.mails()}
        check(told == eligible - {first}, "%d told, expected %d", len(told), len(eligible) - 1)
        check(any(row["reason"] == "erased" and row["count"] == 1 for row in done["reasons"]), "%s", done["reasons"])
        launch.audit()
        why, notice = of(launch, first)
        check(why["suppressed"][0]["reason"] == "erased", "%s", why)
        check((notice["state"], notice["reason"]) == ("withheld", "erased"), "%s", notice)
        by_key = json.loads(launch.onsale("why", "--key", why["key"], "--json"))
        check(by_key["notices"] == why["notices"] and by_key["address"] is None, "by key: %s", by_key)
        gone(launch, first)


def while_it_is_read():
    """A page that names them is on its way, others come after it, and so does the sweep."""
    with Launch(opens_in=24, people=900) as launch:
        launch.fans.update(page_size=100)
        launch.rule["gather_ahead"] = "22s"
        launch.listmonk.control({"latency_ms": 400})
        launch.run()
        launch.wait("gathering")
        early, late = some(launch, 1)[0], some(launch, 1, after=150)[0]
        launch.until(lambda: launch.show()["counts"]["planned"] > 0, "people to be gathered")
        erase(launch, early)
        erase(launch, late)
        launch.listmonk.control({"latency_ms": 0})
        eligible = launch.eligible()
        launch.wait("done")
        told = {mail["to"] for mail in launch.mails()}
        check(told == eligible - {early, late}, "%d told, expected %d", len(told), len(eligible) - 2)
        launch.audit()
        gone(launch, early)
        gone(launch, late)


def while_it_is_sent():
    """Some have theirs, some are in flight, some wait: each is erased, and everything adds up."""
    with Launch(opens_in=6, behaviour={"delay": {"dot": 1}}) as launch:
        launch.mail.update(connections=2)
        launch.run()
        launch.until(lambda: len(launch.mails()) > 8, "the first messages")
        people = launch.people()
        by_state = {}
        for address, person in people.items():
            by_state.setdefault(person["state"], []).append(address)
        check(len(by_state.get("accepted", [])) > 3 and len(by_state.get("waiting", [])) > 6, "%s",
              {state: len(some) for state, some in by_state.items()})
        erased = by_state["waiting"][-5:] + by_state["accepted"][:3] + by_state.get("claimed", [])[:3]
        answers = {address: erase(launch, address) for address in erased}
        waiting = {address for address in erased if answers[address]["withheld"]}  # the others were faster
        check(len(waiting) >= 1 and not waiting & set(by_state["accepted"]), "%s", answers)
        launch.sink.behave()
        done = launch.wait("done", timeout=90)
        told = [mail["to"] for mail in launch.mails()]
        check(not set(told) & waiting, "told after having been erased")
        check(len(told) == len(set(told)), "told twice")
        check(set(told) | waiting == set(people), "lost: %s", sorted(set(people) - set(told) - waiting)[:5])
        counts = done["counts"]
        check(counts["accepted"] == len(told) and counts["withheld"] == len(waiting) and not counts["waiting"], "%s", counts)
        launch.audit()
        launch.until(lambda: not any(traces(launch, address) for address in erased), "the disk to forget", 10)


def never_seen():
    with Launch(opens_in=8) as launch:
        launch.rule["gather_ahead"] = "4s"
        launch.run()
        stranger = some(launch, 1)[0]
        said = launch.onsale("erase", stranger)
        check("Nothing was known" in said and "Out of reach" in said, "says %s", said)
        eligible = launch.eligible()
        done = launch.wait("done")
        check(done["counts"]["planned"] == len(eligible) - 1, "planned %s of %d", done["counts"], len(eligible))
        check({mail["to"] for mail in launch.mails()} == eligible - {stranger}, "the stranger was told")
        gone(launch, stranger)
        launch.audit()


def what_is_held():
    """The export of one person, from the daemon and without one; what a mail server says of them is kept without them."""
    with Launch(opens_in=6) as launch:
        launch.run()
        launch.wait("ready")
        ada = some(launch, 1)[0]
        launch.sink.behave(refuse=[{"to": ada, "reply": "550 5.1.1 <%s>: %s unknown here" % (ada, ada.upper())}])
        launch.wait("done")
        person = launch.people()[ada]
        check(person["state"] == "refused" and "unknown here" in person["text"] and ada not in person["text"].lower(),
              "%s", person)
        export = json.loads(launch.onsale("export", ada))
        check(export["address"] == ada and len(export["key"]) == 32, "%s", export)
        check([row["address"] for row in export["people"]] == [ada], "people: %s", export["people"])
        check(any(word["audience"] == "fans" and word["says"] == "yes" for word in export["words"]), "%s", export["words"])
        check(export["notices"][0]["steps"] and export["not_held"] and export["writebacks"] == [], "%s", export)
        launch.stop()
        check(json.loads(launch.onsale("export", ada)) == export, "without a daemon it says something else")
        nobody = json.loads(launch.onsale("export", "nobody@example.net"))
        check(not nobody["people"] and not nobody["notices"] and not nobody["words"], "%s", nobody)
        launch.start()
        erase(launch, ada)
        gone(launch, ada)
        left = json.loads(launch.onsale("export", ada))
        check(not left["people"] and not left["words"][1:] and left["suppressed"][0]["reason"] == "erased", "%s", left)
        refused = launch.try_onsale("erase", "nonsense")
        check(refused.returncode == 2 and "ADDRESS" in refused.stderr, "%s", refused)


def a_list_that_says_so():
    """The only one who is left is put off; a list from elsewhere says that they are forgotten: then nobody is left."""
    with Launch(opens_in=6) as launch:
        launch.rule["retry"] = {"first": "5m", "cap": "5m"}
        launch.run()
        launch.wait("ready")
        ada, eve = some(launch, 2)
        launch.sink.behave(refuse=[{"to": ada, "reply": "451 4.3.0 come again"}])
        launch.until(lambda: launch.notice()["counts"]["waiting"] == 1, "one to be left")
        launch.write("list.csv", "address,reason,at\n%s,erased,2026-01-02T03:04:05Z\n%s,bounce,\n" % (ada, eve))
        for new, known in (2, 0), (0, 2):
            answer = launch.onsale("suppress", "--from", launch.path("list.csv"))
            check("%d are not written to any more, %d were" % (new, known) in answer, "%s", answer)
        os.remove(launch.path("list.csv"))
        done = launch.wait("done", timeout=20)
        check(done["counts"]["withheld"] == 1 and not done["counts"]["waiting"], "%s", done["counts"])
        why = launch.ask("why", ada)
        check(why["suppressed"][0]["reason"] == "erased" and why["suppressed"][0]["at"] == "2026-01-02T03:04:05.000Z", "%s", why)
        gone(launch, ada)
        launch.audit()


if __name__ == "__main__":
    tell([before_the_launch, while_it_is_read, while_it_is_sent, never_seen, what_is_held, a_list_that_says_so])
