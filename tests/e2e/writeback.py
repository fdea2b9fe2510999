#!/usr/bin/env python3
"""One click: from then on nobody here writes to that person, and the marketing tool hears of it, whatever becomes of the
daemon or the tool meanwhile, once."""
import email
import email.policy
import http.client
import re
import signal
import socket
import sqlite3

from launch import Launch, check, tell

PUBLIC = "https://onsale.example"


class Door(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("onsale", timeout=20)
        self.door = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.door)


def stage(**more):
    launch = Launch(people=100, **more)
    launch.config["http"]["public_url"] = PUBLIC
    return launch


def link_of(launch, address):
    """What the header of that person's mail says."""
    message = launch.onsale("preview", "on-sale", "--notice", launch.notice()["id"], "--subscriber", address)
    header = email.message_from_string(message, policy=email.policy.SMTP)["List-Unsubscribe"]
    found = re.search("<%s(/u/[A-Za-z0-9_-]+)>" % re.escape(PUBLIC), header or "")
    check(found, "List-Unsubscribe: %s", header)
    return found[1]


def click(launch, link, body="List-Unsubscribe=One-Click"):
    door = Door(launch.path("onsale.sock"))
    try:
        door.request("POST", link, body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = door.getresponse()
        answer.read()
    finally:
        door.close()
    check(answer.status == 200, "POST %s: %d", link[:8], answer.status)


def word_there(launch, address, number=7):
    return launch.listmonk.get("/_people?list=%d" % number).get(address)


def changes(launch):
    """(status of) every change that was asked of the tool."""
    return [r["status"] for r in launch.listmonk.get("/_requests") if r["method"] == "PUT"]


def waiting(launch):
    with sqlite3.connect("file:%s?mode=ro" % launch.path("onsale.db"), uri=True) as store:
        return store.execute("SELECT count(*) FROM writeback").fetchone()[0]


def told_there(launch, address, timeout=40):
    launch.until(lambda: word_there(launch, address) == 1, "listmonk to hear of it", timeout)
    launch.until(lambda: waiting(launch) == 0, "the store to be done with it")


def said(launch, what):
    launch.until(lambda: what in launch.log_since(), "the log to say %s" % what)


def done(launch):
    launch.run()
    launch.wait("done")
    return sorted(launch.eligible())


def the_end(launch):
    log = launch.log_since()
    check("@" not in log, "an address is in the log: %s", [line for line in log.splitlines() if "@" in line][:2])


def after_gathering():
    """Gathered, everything ready, and then a click: not told, and the tool knows."""
    with stage(opens_in=14) as launch:
        launch.rule["gather_ahead"] = "12s"
        launch.run()
        launch.wait("ready")
        people = sorted(launch.eligible())
        click(launch, link_of(launch, people[0]))
        told_there(launch, people[0])
        check(changes(launch) == [200], "changes: %s", changes(launch))
        launch.wait("done")
        launch.agree(people[1:])
        click(launch, link_of(launch, people[1]))
        click(launch, link_of(launch, people[1]))
        told_there(launch, people[1])
        launch.sleep(2)
        check(changes(launch) == [200, 200], "clicked twice: %s", changes(launch))
        the_end(launch)


def tool_is_down():
    """... and the daemon is killed before the tool is back."""
    with stage() as launch:
        person = done(launch)[0]
        link = link_of(launch, person)
        launch.listmonk.stop()
        click(launch, link)
        launch.stop(signal.SIGKILL)
        check(waiting(launch) == 1, "%d wait", waiting(launch))
        launch.start()
        said(launch, "event=writeback_waits")
        launch.until(lambda: launch.ask("status")["writebacks"]["waiting"] == 1, "status to tell of it")
        check("marketing tools: 1, the first of" in launch.onsale("status"), "%s", launch.onsale("status"))
        launch.listmonk.start()
        told_there(launch, person, 90)
        launch.until(lambda: launch.ask("status")["writebacks"] == {"waiting": 0, "oldest_at": None}, "status to be done")
        check(changes(launch) == [200], "changes: %s", changes(launch))
        launch.stop()
        launch.start()
        launch.sleep(2)
        check(changes(launch) == [200], "told again: %s", changes(launch))
        the_end(launch)


def tool_fails():
    with stage() as launch:
        person = done(launch)[0]
        launch.listmonk.control({"write_faults": [{"on": 1, "kind": "500", "times": 2}]})
        click(launch, link_of(launch, person))
        told_there(launch, person)
        check(changes(launch) == [500, 500, 200], "changes: %s", changes(launch))
        check(launch.log_since().count("event=writeback_waits") == 1, "one trouble is one line")
        said(launch, "event=written_back")
        the_end(launch)


def tool_refuses():
    """Somebody has to give the permission; then a reload is enough."""
    with stage() as launch:
        person = done(launch)[0]
        launch.listmonk.control({"write_faults": [{"on": 1, "kind": "403", "times": 1}]})
        click(launch, link_of(launch, person))
        said(launch, "subscribers:manage")
        check(waiting(launch) == 1 and word_there(launch, person) == 0, "it waits")
        launch.reload()
        told_there(launch, person)
        check(changes(launch) == [403, 200], "changes: %s", changes(launch))
        the_end(launch)


def killed_while_it_is_told():
    """The change is made, the answer takes its time, and nobody is there to hear it."""
    with stage() as launch:
        person = done(launch)[0]
        launch.listmonk.control({"write_faults": [{"on": 1, "kind": "slow"}]})
        click(launch, link_of(launch, person))
        launch.until(lambda: word_there(launch, person) == 1, "the change")
        launch.stop(signal.SIGKILL)
        check(waiting(launch) == 1, "%d wait", waiting(launch))
        launch.start()
        told_there(launch, person)
        check(changes(launch).count(200) <= 1, "found unsubscribed, yet changed again: %s", changes(launch))
        the_end(launch)


def unknown_there():
    with stage() as launch:
        person = done(launch)[0]
        link = link_of(launch, person)
        launch.listmonk.control({"changes": [{"after": 0, "do": [["delete", int(person[1:].partition("@")[0])]]}]})
        click(launch, link)
        launch.until(lambda: waiting(launch) == 0, "the end of it")
        said(launch, "unknown_there=1")
        check(changes(launch) == [], "changes: %s", changes(launch))
        the_end(launch)


def from_everything():
    """Every tool is told; the person stays on lists that are nobody's audience."""
    with stage() as launch:
        launch.config["audiences"].append(dict(launch.fans, name="crew", lists=[5], sql=False, username="plain"))
        done(launch)
        both = [a for a in sorted(launch.eligible()) if word_there(launch, a, 5) == 0]
        check(both, "nobody is on both lists")
        click(launch, link_of(launch, both[0]), "scope=all")
        told_there(launch, both[0])
        check(word_there(launch, both[0], 5) == 1, "the crew's list did not hear of it")
        check(sorted(changes(launch)) == [200, 200], "changes: %s", changes(launch))
        check([s["scope"] for s in launch.ask("suppressions")] == [""], "suppressed: %s", launch.ask("suppressions"))
        the_end(launch)


if __name__ == "__main__":
    tell([after_gathering, tool_is_down, tool_fails, tool_refuses, killed_while_it_is_told, unknown_there, from_everything])
