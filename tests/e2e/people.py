#!/usr/bin/env python3
"""Who may be told, when the marketing tool goes away, changes its mind or knows us not; consent counts at the end."""
from launch import Launch, check, tell


def some(launch, many, after=0):
    """Eligible people of the fake as (address, number in listmonk), in the order in which they are read."""
    numbers = sorted(int(address[1:].partition("@")[0]) for address in launch.eligible())
    return [("p%d@example.org" % number, number) for number in numbers[after:after + many]]


def change(launch, *steps, after=0):
    launch.listmonk.control({"changes": [{"after": after, "do": [list(step) for step in steps]}]})


def withheld(launch, addresses, reason):
    people = launch.people()
    for address in addresses:
        person = people.get(address, {"state": "not there"})
        check(person["state"] == "withheld" and person["reason"] == reason, "%s should be withheld (%s): %s", address,
              reason, person)


def gone_after_gathering():
    """The last complete read counts."""
    with Launch(opens_in=13) as launch:
        launch.rule["gather_ahead"] = "11s"
        launch.run()
        launch.wait("ready")
        eligible = launch.eligible()
        launch.listmonk.stop()
        launch.wait("done")
        check('error="audience fans' in launch.log_since(), "nobody noticed that listmonk is gone")
        launch.listmonk.start()
        launch.agree(eligible)


def gone_after_gathering_too_long():
    """... while it is young enough."""
    with Launch(opens_in=8) as launch:
        launch.rule.update(gather_ahead="6s", consent_max_age="3s")
        launch.run()
        launch.wait("ready")
        launch.listmonk.stop()
        shown = launch.wait("held", "consent")
        check(shown["reason_text"] and "fans" in shown["reason_text"], "it says %s", shown["reason_text"])
        launch.nobody_told()
        launch.listmonk.start()
        launch.wait("done")
        launch.agree(launch.eligible())


def gone_before_gathering():
    with Launch() as launch:
        launch.run()
        launch.listmonk.stop()
        launch.until(lambda: launch.notice() and launch.notice()["reason_text"], "what keeps people from being read")
        ahead = launch.notice()
        check(ahead["state"] == "gathering" and "fans" in ahead["reason_text"], "before the moment: %s", ahead)
        check(ahead["reason_text"] in launch.onsale("show", ahead["id"]), "show does not say it")
        shown = launch.wait("held", "consent")
        check(shown["reason_text"] and "fans" in shown["reason_text"], "it says %s", shown["reason_text"])
        launch.nobody_told()
        launch.listmonk.start()
        launch.wait("done")
        launch.agree(launch.eligible())


def slow_at_the_last_moment():
    """The change feed does not answer: it holds the release for two seconds, not longer."""
    with Launch(opens_in=9) as launch:
        launch.rule["gather_ahead"] = "6s"
        launch.run()
        launch.wait("ready")
        launch.listmonk.control({"latency_ms": 15000})
        launch.wait("done")
        shown = launch.agree(launch.eligible())
        check(1500 < shown["late_ms"] < 4000, "%d ms late", shown["late_ms"])


def leaving_while_paging(sql=True):
    """Pages of 100; between them people go, before and behind the place that was read."""
    with Launch(opens_in=24, people=900) as launch:
        launch.fans.update(page_size=100, sql=sql)
        launch.rule["gather_ahead"] = "22s"
        early, late = some(launch, 12), some(launch, 12, after=150)
        for number, (read, unread) in enumerate(zip(early[:10], late[:10]), 1):
            change(launch, ("unsubscribe", read[1], 7), ("leave", unread[1], 7), after=number % 4 + 1)
        change(launch, ("delete", early[10][1]), ("blocklist", early[11][1]), ("delete", late[10][1]),
               ("blocklist", late[11][1]), after=3)
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())


def leaving_while_windows_move():
    leaving_while_paging(sql=False)


def leaving_after_gathering(sql=True):
    """Everything that ends consent, after the first read and in time for the second one."""
    with Launch(opens_in=24) as launch:
        launch.fans["sql"] = sql
        launch.rule["gather_ahead"] = "22s"
        launch.run()
        launch.wait("ready")
        a, b, c, d, e = some(launch, 5)
        change(launch, ("unsubscribe", a[1], 7), ("leave", b[1], 7), ("delete", c[1]), ("blocklist", d[1]),
               ("rename", e[1], "moved@example.org"))
        launch.wait("done")
        check("moved@example.org" in launch.eligible(), "the fake did not rename")
        launch.agree(launch.eligible())
        withheld(launch, [a[0]], "opted out")
        withheld(launch, [b[0], c[0], e[0]], "left")
        withheld(launch, [d[0]], "never mail")


def leaving_after_gathering_without_sql():
    leaving_after_gathering(sql=False)


def unsubscribing_at_the_last_moment():
    """Too late for a second read: the changes are asked for right before the gate."""
    with Launch(opens_in=8) as launch:
        launch.rule["gather_ahead"] = "6s"
        launch.run()
        launch.wait("ready")
        a, b = some(launch, 2)
        change(launch, ("unsubscribe", a[1], 7), ("blocklist", b[1]))
        launch.wait("done")
        launch.agree(launch.eligible())
        withheld(launch, [a[0]], "opted out")
        withheld(launch, [b[0]], "never mail")


def suppressed_two_seconds_before():
    with Launch(opens_in=10) as launch:
        launch.rule["gather_ahead"] = "8s"
        launch.run()
        launch.wait("ready")
        (address, _), (other, _) = some(launch, 2)
        launch.sleep_until(-2)
        launch.onsale("suppress", address.upper())
        launch.onsale("suppress", other, "--audience", "fans")
        launch.wait("done")
        launch.agree(launch.eligible() - {address, other})
        withheld(launch, [address, other], "suppressed")
        why = launch.ask("why", address)["notices"][0]
        check(why["state"] == "withheld" and why["reason"] == "suppressed", "why says %s", why)


def user_without_permission(username, sql=False):
    """It would be given everybody: that must be seen, and said."""
    with Launch() as launch:
        launch.fans.update(username=username, sql=sql)
        launch.run()
        shown = launch.wait("held", "consent")
        text = shown["reason_text"] or ""
        check("list" in text and ("may" in text or "permission" in text), "it says: %s", text)
        launch.nobody_told()


def restricted_user():
    user_without_permission("restricted")


def user_without_any_permission():
    user_without_permission("nobody")


def user_without_sql():
    user_without_permission("plain", sql=True)


def two_audiences_one_mail():
    """Somebody in both gets one mail; a no counts for its own audience, a bounce for all of them."""
    with Launch() as launch:
        (both, _), (unwilling, _), (bounced, _) = some(launch, 3)
        rows = [(both.upper(), "subscribed", "Ann"), (unwilling, "unsubscribed", "Bo"), (bounced, "bounced", "Cy"),
                ("door@example.org", "subscribed", "Di"), ("door2@example.org", "unsubscribed", "Ed"),
                ("door3@example.org", "subscribed", "Flo"), ("DOOR3@example.org", "unsubscribed", "Flo"),
                ("not an address", "subscribed", "Gus")]
        launch.write("door.csv", "email,status,name\n" + "".join("%s,%s,%s\n" % row for row in rows))
        launch.config["audiences"].append({"name": "door", "source": "file", "path": "door.csv"})
        launch.rule["audiences"] = ["fans", "door"]
        launch.run()
        launch.wait("done")
        launch.agree((launch.eligible() | {"door@example.org"}) - {bounced})


def more_people_than_a_page():
    """A running daemon lists 10,000 at a time; the command shows all of them."""
    with Launch(opens_in=90) as launch:
        launch.rule["gather_ahead"] = "89s"
        launch.write("door.csv", "email,status\n" + "".join("d%d@example.org,subscribed\n" % n for n in range(21234)))
        launch.config["audiences"] = [{"name": "door", "source": "file", "path": "door.csv"}]
        launch.rule["audiences"] = ["door"]
        launch.run()
        shown = launch.wait("ready")
        people = launch.ask("people", shown["id"])
        check(len(people) == len({person["address"] for person in people}) == 21234, "%d listed", len(people))
        check(len(launch.ask("people", shown["id"], "--state", "waiting")) == 21234, "not all are waiting")
        check(launch.ask("people", shown["id"], "--state", "accepted") == [], "somebody was told")
        launch.nobody_told()


def nobody_to_tell():
    with Launch() as launch:
        launch.fans["lists"] = [12]
        launch.run()
        shown = launch.wait("done")
        check(shown["counts"]["planned"] == 0, "%s", shown["counts"])
        launch.nobody_told()


STORIES = [
    gone_after_gathering, gone_after_gathering_too_long, gone_before_gathering, slow_at_the_last_moment, leaving_while_paging,
    leaving_while_windows_move, leaving_after_gathering, leaving_after_gathering_without_sql,
    unsubscribing_at_the_last_moment, suppressed_two_seconds_before, restricted_user, user_without_any_permission,
    user_without_sql, two_audiences_one_mail, more_people_than_a_page,
    nobody_to_tell]

if __name__ == "__main__":
    tell(STORIES)
