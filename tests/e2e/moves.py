#!/usr/bin/env python3
"""What changes shortly before a sale opens, and at the gate itself: between the last poll and the answer at T."""
from launch import EVENT, Launch, check, moment, now_ms, tell

HOUR_MS = 3600000


def each(launch, **order):
    launch.wix.control([dict(order, id=one) for one in launch.members])


def move(launch):
    each(launch, do="move", startDate=moment(launch.opens_at_ms + HOUR_MS))


def hide(launch):
    each(launch, do="hide")


def delete(launch):
    each(launch, do="delete")


def cancel(launch):
    launch.wix.control({"do": "event", "eventId": EVENT, "set": {"status": "CANCELED"}})


def change_between_polls(change, reason):
    """The mirror hears of it before T."""
    with Launch(opens_in=9) as launch:
        launch.rule["gather_ahead"] = "6s"
        launch.run()
        launch.wait("ready")
        change(launch)
        launch.wait("withdrawn", reason)
        launch.sleep_until(2)
        launch.wait("withdrawn", reason)
        launch.nobody_told()


def change_at_the_gate(change, reason, **where):
    """Nobody polls any more: only the gate's own question can tell."""
    with Launch(**where) as launch:
        launch.site["poll_every"] = "1h"
        launch.run()
        launch.wait("ready")
        launch.sleep_until(-1)
        change(launch)
        shown = launch.wait("withdrawn", reason)
        check(now_ms() >= launch.opens_at_ms, "withdrawn before the gate")
        check(not shown["counts"]["accepted"], "somebody was told")
        launch.sleep_until(2)
        launch.nobody_told()


def moved_before():
    change_between_polls(move, "moved")


def hidden_before():
    change_between_polls(hide, "hidden")


def deleted_before():
    with Launch(opens_in=9) as launch:
        launch.site["full_walk_every"] = "1s"
        launch.rule["gather_ahead"] = "1s"
        launch.run()
        launch.until(launch.notice, "the notice to be planned")
        delete(launch)
        launch.onsale("sync")
        launch.sleep_until(2)
        launch.wait("withdrawn", "gone")
        launch.nobody_told()


def cancelled_before():
    with Launch(opens_in=9) as launch:
        launch.rule["gather_ahead"] = "6s"
        launch.run()
        launch.wait("ready")
        cancel(launch)
        launch.wait("withdrawn", "event off")
        launch.sleep_until(2)
        launch.nobody_told()


def moved_at_the_gate():
    change_at_the_gate(move, "moved")


def hidden_at_the_gate():
    change_at_the_gate(hide, "hidden")


def deleted_at_the_gate():
    change_at_the_gate(delete, "gone")


def cancelled_at_the_gate():
    change_at_the_gate(cancel, "event off")


def many_moved_at_the_gate():
    """More than five are asked by Query, which lags behind: who has a lower revision than ours is asked again by Get."""
    change_at_the_gate(move, "moved", definitions=24, events=2)


def one_of_two_stays():
    """One definition still opens: the notice is the same, its mails name only what is open."""
    with Launch() as launch:
        launch.run()
        launch.wait("ready")
        launch.wix.control({"do": "hide", "id": launch.members[0]})
        shown = launch.wait("done")
        launch.agree(launch.eligible())
        words = shown["gate"][0]["evidence"]["definitions"]
        check(words.get(launch.members[1]) == "open" and words.get(launch.members[0]) in (None, "hidden"), "%s", words)


def revived():
    """Cancelled, and on again before T."""
    with Launch(opens_in=10) as launch:
        launch.run()
        launch.until(launch.notice, "the notice to be planned")
        cancel(launch)
        launch.onsale("sync")
        launch.wait("withdrawn", "event off")
        launch.wix.control({"do": "event", "eventId": EVENT, "set": {"status": "UPCOMING"}})
        launch.onsale("sync")
        launch.wait("done")
        launch.agree(launch.eligible())


def moved_and_told_then():
    """Moved by some seconds: nobody at the old instant, everybody once at the new one."""
    with Launch(opens_in=6) as launch:
        launch.run()
        launch.wait("ready")
        later_ms = launch.opens_at_ms + 5000
        each(launch, do="move", startDate=moment(later_ms))
        launch.wait("withdrawn", "moved")
        launch.sleep_until(2)
        launch.nobody_told()
        launch.wait("done", at_ms=later_ms)
        launch.agree(launch.eligible(), at_ms=later_ms)


def moved_after_it_was_told():
    """The same people hear of it again only when an operator says so."""
    with Launch() as launch:
        launch.run()
        launch.wait("done")
        later_ms = now_ms() + 9000
        each(launch, do="move", startDate=moment(later_ms))
        held = launch.wait("held", "already told", at_ms=later_ms)
        launch.sleep(max(0, later_ms - now_ms()) / 1000 + 1.5)
        launch.wait("held", "already told", at_ms=later_ms)
        launch.agree(launch.eligible())
        refused = launch.try_onsale("release", held["id"])
        check(refused.returncode == 1 and "--anyway" in refused.stderr, "release says: %s", refused.stderr)
        launch.onsale("release", held["id"], "--anyway")
        launch.wait("done", at_ms=later_ms)
        check(len(launch.mails()) == 2 * len(launch.eligible()), "%d mails", len(launch.mails()))
        launch.audit()


def asked_too_often_at_the_gate():
    """429 with Retry-After: it waits as long as it was asked to, and sends."""
    with Launch() as launch:
        launch.site["poll_every"] = "1h"
        launch.run()
        launch.wait("ready")
        launch.sleep_until(-1)
        launch.wix.control({"do": "fault", "kind": "status", "status": 429, "retry_after": 2, "count": 2})
        launch.wait("done")
        launch.agree(launch.eligible())


def not_started_then_sent():
    """The shop starts the sale late: the gate asks again, and nothing leaves before the shop says so."""
    with Launch() as launch:
        launch.rule["if_not_started"] = {"wait": "30s", "then": "drop"}
        launch.wix.control({"do": "derive", "late_ms": 3000})
        launch.run()
        launch.wait("done")
        shown = launch.agree(launch.eligible())
        first = min(mail["time"] for mail in launch.mails()) - launch.opens_at_ms
        check(first >= 3000, "told %d ms after T, while the sale started 3 s late", first)
        check(len(shown["gate"]) >= 3, "asked %d times", len(shown["gate"]))


def never_started_is_dropped():
    with Launch() as launch:
        launch.rule["if_not_started"] = {"wait": "2s", "then": "drop"}
        launch.wix.control({"do": "derive", "late_ms": 60000})
        launch.run()
        launch.wait("withdrawn", "not started")
        launch.nobody_told()


def never_started_is_sent():
    with Launch() as launch:
        launch.rule["if_not_started"] = {"wait": "2s", "then": "send"}
        launch.wix.control({"do": "derive", "late_ms": 60000})
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())
        first = min(mail["time"] for mail in launch.mails()) - launch.opens_at_ms
        check(first >= 2000, "told %d ms after T, before patience ended", first)


def sold_out_is_dropped():
    with Launch() as launch:
        launch.run()
        launch.wait("ready")
        each(launch, do="change", set={"salesDetails.soldOut": True, "salesDetails.unsoldCount": 0})
        launch.wait("withdrawn", "sold out")
        launch.nobody_told()


def silent_then_held(kind="status", **fault):
    """No answer at T: the gate waits, then holds; `onsale release` sends when the site answers again."""
    with Launch() as launch:
        launch.site["poll_every"] = "1h"
        launch.site["timeout"] = "500ms"
        launch.rule["if_unverified"] = {"wait": "3s", "then": "hold"}
        launch.run()
        launch.wait("ready")
        launch.sleep_until(-1)
        launch.wix.control(dict({"do": "fault", "kind": kind, "count": -1}, **fault))
        shown = launch.wait("held", "unverified")
        check(now_ms() >= launch.opens_at_ms + 3000, "held before its patience ended")
        check(shown["reason_text"], "no text says why")
        launch.nobody_told()
        launch.wix.control({"do": "clear_faults"})
        launch.onsale("release", shown["id"])
        launch.wait("done")
        launch.agree(launch.eligible())


def errors_then_held():
    silent_then_held("status", status=500)


def timeouts_then_held():
    silent_then_held("silent", ms=1500)


def silent_then_dropped():
    with Launch() as launch:
        launch.site["poll_every"] = "1h"
        launch.rule["if_unverified"] = {"wait": "2s", "then": "drop"}
        launch.run()
        launch.wait("ready")
        launch.wix.control({"do": "fault", "kind": "status", "status": 503, "html": True, "count": -1})
        launch.wait("withdrawn", "unverified")
        launch.nobody_told()


def silent_then_answers():
    with Launch() as launch:
        launch.site["poll_every"] = "1h"
        launch.site["timeout"] = "500ms"
        launch.run()
        launch.wait("ready")
        launch.sleep_until(-1)
        launch.wix.control({"do": "fault", "kind": "reset", "count": -1})
        launch.sleep_until(2.5)
        launch.nobody_told()
        launch.wix.control({"do": "clear_faults"})
        launch.wait("done")
        launch.agree(launch.eligible())


def two_events_at_once():
    """One answer at T serves both; whoever asked for both gets one mail for each."""
    with Launch(opens_in=9) as launch:
        del launch.fans["interest"]
        launch.run()
        world = launch.wix.get("/_world")["ticketDefinitions"]
        other = next(item["eventId"] for item in world if item["eventId"] != EVENT)
        launch.wix.control([{"do": "move", "id": item["id"], "startDate": moment(launch.opens_at_ms)} for item in world
                            if item["eventId"] == other])
        launch.until(lambda: launch.notice(event=other), "the other event's notice")
        launch.wait("done")
        launch.wait("done", event=other)
        people = {address for address, consent in launch.listmonk.get("/_people?list=7").items() if consent == 0}
        got = [mail["to"] for mail in launch.mails()]
        check(sorted(got) == sorted(list(people) * 2), "%d mails for %d people", len(got), len(people))
        check(min(mail["time"] for mail in launch.mails()) >= launch.opens_at_ms, "too early")
        launch.audit()


def our_clock_is_ahead():
    """The site's Date is 3 s behind ours, although it sells already: never early by its word, either."""
    with Launch() as launch:
        launch.wix.control([{"do": "clock", "offset_ms": -3000}, {"do": "derive", "on": False}])
        launch.run()
        each(launch, do="change", set={"saleStatus": "SALE_STARTED"})
        launch.wait("done")
        launch.agree(launch.eligible())
        first = min(mail["time"] for mail in launch.mails()) - launch.opens_at_ms
        check(first >= 2000, "told %d ms after T by our clock, %d before T by the site's", first, 3000 - first)


STORIES = [
    moved_before, hidden_before, deleted_before, cancelled_before, moved_at_the_gate, hidden_at_the_gate,
    deleted_at_the_gate, cancelled_at_the_gate, many_moved_at_the_gate, one_of_two_stays, revived, moved_and_told_then,
    not_started_then_sent, never_started_is_dropped, never_started_is_sent, sold_out_is_dropped, errors_then_held,
    timeouts_then_held, silent_then_dropped, silent_then_answers, two_events_at_once,
    moved_after_it_was_told, asked_too_often_at_the_gate, our_clock_is_ahead]

if __name__ == "__main__":
    tell(STORIES)
