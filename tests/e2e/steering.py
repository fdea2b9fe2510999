#!/usr/bin/env python3
"""People steer a launch in the middle of it: pause and resume with exact counts, and one bad notice among good ones."""
import signal
import sqlite3
import time

from launch import Launch, check, tell

SLOW = {"delay": {"dot": 0.1}}


def stopped(answer, launch):
    """The one notice of a pause's answer, whose counts add up."""
    check(len(answer["notices"]) == 1, "it stopped %s", answer["notices"])
    found, counts = answer["notices"][0], launch.show()["counts"]
    told = counts["planned"] - counts["refused"] - counts["in_doubt"] - counts["withheld"]
    check(found["accepted"] + found["in_flight"] + found["waiting"] == told, "%s do not add up to %d", found, told)
    return found


def paused(launch, *target):
    """By the daemon's answer and by what `onsale pause` prints; the mails of the sink agree with both, and stay so."""
    words = {"target": target[0]} if target else {}
    began = time.monotonic()
    answer = launch.api("pause", words)
    took = time.monotonic() - began
    check(took < 2, "the answer took %.1f s", took)
    check(answer["settled"], "not settled: %s", answer)
    found = stopped(answer, launch)
    check(found["in_flight"] == 0, "in flight though settled: %s", found)
    mails = len(launch.mails())
    check(found["accepted"] == mails, "%d accepted, the sink has %d", found["accepted"], mails)
    time.sleep(0.7)
    check(len(launch.mails()) == mails, "%d more after the pause", len(launch.mails()) - mails)
    return found


def in_mid_send(launch, more_than=0):
    launch.until(lambda: len(launch.mails()) > more_than + 8, "some mails")


def exact_counts():
    """Paused by notice, by notifier and as a whole, each time in the middle; once over a kill -9."""
    with Launch(behaviour=SLOW) as launch:
        launch.mail["rate"] = "20/s"
        launch.run()
        launch.wait("sending")
        in_mid_send(launch)
        first = paused(launch, "notice:%d" % launch.notice()["id"])
        check(launch.notice()["paused"], "the notice does not say that it is paused")
        launch.onsale("resume", launch.notice()["id"])
        in_mid_send(launch, first["accepted"])
        second = paused(launch, "notifier:mail")
        check(second["accepted"] > first["accepted"], "nothing went on after the resume")
        launch.onsale("resume", "mail")
        in_mid_send(launch, second["accepted"])
        third = paused(launch)
        printed = launch.onsale("pause")
        check("%d accepted, 0 in flight, %d waiting" % (third["accepted"], third["waiting"]) in printed, "%s", printed)
        launch.stop(signal.SIGKILL)
        launch.start()
        time.sleep(1.5)
        check(len(launch.mails()) == third["accepted"], "the pause did not outlive the kill")
        launch.onsale("resume")
        launch.wait("done")
        launch.agree(launch.eligible())


def slow_answers():
    """Receivers that take longer than a second: the answer does not wait for them, and says what is in flight."""
    with Launch(behaviour={"delay": {"dot": 3}}) as launch:
        launch.mail["doubt_max"] = 60
        launch.run()
        launch.wait("sending")
        launch.sleep_until(1)
        began = time.monotonic()
        answer = launch.api("pause", {})
        took = time.monotonic() - began
        check(0.8 < took < 2, "the answer took %.1f s", took)
        check(not answer["settled"], "settled: %s", answer)
        found = stopped(answer, launch)
        check(4 <= found["in_flight"] <= 16, "%d are in flight", found["in_flight"])
        launch.sink.behave()
        time.sleep(6)
        answer = launch.api("pause", {})
        check(answer["settled"] and stopped(answer, launch)["accepted"] == len(launch.mails()), "%s", answer)
        launch.onsale("resume")
        launch.wait("done")
        launch.agree(launch.eligible())


def reloaded():
    """Rate, connections, doubt_max and deadline change in mid-send: what is in flight comes home, and it goes on from there."""
    with Launch(behaviour=SLOW) as launch:
        launch.mail["rate"] = "10/s"
        launch.run()
        launch.wait("sending")
        in_mid_send(launch)
        launch.mail.update(rate="200/s", connections=2, doubt_max=5, deadline="1h")
        launch.reload()
        had = len(launch.mails())
        check(had < len(launch.eligible()), "it was over before the reload")
        began = time.monotonic()
        launch.wait("done")
        took, left = time.monotonic() - began, len(launch.eligible()) - had
        check(took < left / 10, "%d people took %.1f s: the old rate still counts", left, took)
        launch.agree(launch.eligible())


def reloaded_on_warm_connections():
    """Only the rate changes: the server sees the connections that it had, and nobody is told anything twice."""
    with Launch(behaviour=SLOW) as launch:
        launch.mail["rate"] = "10/s"
        launch.run()
        launch.wait("sending")
        in_mid_send(launch)
        had = launch.sink.behave(op="counts")["connections"]
        launch.mail["rate"] = "200/s"
        launch.reload()
        check(len(launch.mails()) < len(launch.eligible()), "it was over before the reload")
        launch.wait("done")
        counts = launch.sink.behave(op="counts")
        check(counts["connections"] <= max(had, launch.mail["connections"]), "%d connections, and then %d", had,
              counts["connections"])
        launch.agree(launch.eligible())


def ledger(launch, statement, *values):
    with sqlite3.connect(launch.path("onsale.db"), timeout=10) as db:
        db.execute(statement, values)
    db.close()


def one_bad_notice():
    """The ledger refuses every claim of one notice: it is held with what was wrong, its neighbour on the notifier goes on."""
    with Launch() as launch:
        launch.config["rules"].append(dict(launch.rule, name="second"))
        launch.run()
        launch.wait("ready")
        bad = launch.notice()["id"]
        ledger(launch, "INSERT INTO flight VALUES(?, 5, 'mail', 1, 1, 1)", bad)
        shown = launch.wait("held", "disk")
        check("UNIQUE" in shown["reason_text"], "it says %s", shown["reason_text"])
        launch.wait("done", rule="second")
        told = launch.show(rule="second")["counts"]
        check(told["accepted"] == len(launch.eligible()) == len(launch.mails()), "%s", told)
        check("event=ledger_failed" not in launch.log_since(), "the whole turn failed")
        ledger(launch, "DELETE FROM flight WHERE notice = ?", bad)
        launch.onsale("release", bad)
        launch.wait("done")
        check(launch.show()["counts"]["accepted"] == told["accepted"], "%s", launch.show()["counts"])
        ids = [mail["message_id"] for mail in launch.mails()]
        check(len(ids) == len(set(ids)) == 2 * told["accepted"], "%d mails", len(ids))
        launch.audit()


def will_not_fit():
    """Known ahead, said once everywhere: the log, one letter, `notices`, `show`, `check --online`; then how it goes."""
    with Launch() as launch:
        launch.config["operators"] = ["ops@arena.example"]
        launch.mail["rate"] = "20/s"
        launch.rule["finish_within"] = "1s"
        launch.run()
        launch.wait("ready")
        people = len(launch.eligible())
        launch.until(lambda: launch.notice()["fits"] is False, "the forecast")
        expected = "%d people at 20/s take %d s; finish_within is 1 s" % (people, -(-people // 20))
        notice = launch.notice()
        check(notice["forecast"] == expected, "it says %s, not %s", notice["forecast"], expected)
        check(abs(notice["will_finish_ms"] - people * 50) <= 1, "%s", notice["will_finish_ms"])
        check("ready, will not fit" in launch.onsale("notices"), "notices do not mark it")
        check("will not fit: " + expected in launch.onsale("show", notice["id"]), "show does not explain it")
        check(expected in launch.onsale("check", "--online"), "check does not say it")
        launch.until(lambda: len(launch.mails()) > 30, "some mails")
        shown = launch.show()
        check(10 <= shown["per_second"] <= 40, "%s a second", shown["per_second"])
        check(shown["ends_at"] > shown["due_at"], "it ends at %s", shown["ends_at"])
        check(" a second, so it ends about " in launch.onsale("show", notice["id"]), "show does not say how it goes")
        launch.onsale("pause", "mail")
        check(launch.show()["ends_at"] is None, "its notifier is paused, and it is said when it ends")
        launch.onsale("resume", "mail")
        launch.wait("done")
        check("forecast" not in launch.onsale("show", notice["id"]), "what is over will not fit")
        log = [line for line in launch.log_since().splitlines() if "event=forecast notice=%d " % notice["id"] in line]
        check(len(log) == 1 and "fits=no" in log[0], "the log says %s", log)
        mails = [mail["to"] for mail in launch.mails()]
        check(len(mails) - mails.count("ops@arena.example") == people, "%d mails", len(mails))
        check(mails.count("ops@arena.example") == 2, "operators had %d letters", mails.count("ops@arena.example"))


if __name__ == "__main__":
    tell([will_not_fit, reloaded, reloaded_on_warm_connections, exact_counts, slow_answers, one_bad_notice])
