#!/usr/bin/env python3
"""The daemon is ended again and again while it tells a few thousand people, and goes on each time: nobody is lost, nobody is
told twice, who may or may not have been told is named, and there are few of them.

    crash_kill.py [--kills N] [--people N] [--jobs N] [--seed S] [kills] [terms] [phases]

--kills: how many kill -9 in all, ten or more for each launch. Everything random comes from the seed."""
import argparse
import random
import sys
import time

from crash_check import IN_DOUBT, WITHDRAWN, Ledger, agree_with_reports, judge, judge_mails
from crash_world import Crash, check, tell

KILLS_A_LAUNCH = 10


def in_mid_flight(crash, rng):
    """Lets it come some way: into its start, or past some mails."""
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0, 0.4))
        return
    crash.wait_mails(crash.sink_size() + rng.randrange(30000))
    time.sleep(rng.uniform(0, 0.01))


def go_on(crash):
    """To the end, and once more beyond it."""
    for _ in range(2):
        check(not crash.run_until_done(), "killed by nobody")


def killed_while_sending(kills, people):
    def test(rng):
        with Crash(people, round_trip_ms=rng.choice([0, 1, 2, 5]), nasty=rng.choice([4, 9])) as crash:
            for _ in range(kills):
                crash.start()
                in_mid_flight(crash, rng)
                crash.kill()
            go_on(crash)
            doubts = judge(crash)
            return "%d kills, %d mails, %d in doubt" % (crash.kills, len(crash.mails()), doubts)
    return test


def killed_and_repeated(kills, people):
    """in_doubt: repeat. Nobody is left in doubt, and everybody who was gets it again."""
    def test(rng):
        with Crash(people, round_trip_ms=rng.choice([1, 2, 5]), nasty=rng.choice([0, 9]), in_doubt="repeat") as crash:
            for _ in range(kills):
                crash.start()
                in_mid_flight(crash, rng)
                crash.kill()
            go_on(crash)
            judge(crash, doubt_most=0)
            mails = crash.mails()
            again = len(mails) - len({mail["to"] for mail in mails})
            return "%d kills, %d mails, %d of them again" % (crash.kills, len(mails), again)
    return test


def stopped_while_sending(stops, people):
    """An orderly stop returns what it claimed and did not hand over: no doubt at all."""
    def test(rng):
        with Crash(people, round_trip_ms=rng.choice([1, 2, 5]), nasty=rng.choice([0, 5])) as crash:
            for _ in range(stops):
                crash.start()
                check(crash.wait_line("event=started"), "the daemon did not start")
                in_mid_flight(crash, rng)
                crash.terminate()
            go_on(crash)
            judge(crash, doubt_most=0)
            return "%d stops, %d mails" % (stops, len(crash.mails()))
    return test


def killed_at(words, times=1, then=None, people=400, after_s=0.0, **world):
    """Killed the moment its log says so; again when the next start says `then`."""
    def test(rng):
        with Crash(people, **world) as crash:
            for time_of_death in range(times):
                crash.start()
                said = then if then and time_of_death else words
                check(crash.wait_line(said), "the daemon ended before %s", said)
                time.sleep(rng.uniform(0, after_s))
                crash.kill()
            go_on(crash)
            return "%d kills, %d in doubt" % (crash.kills, judge(crash))
    return test


def the_list_changes(killed):
    """While it is read, or between the kill in the middle of that and the next start: who left is not told, who joined is."""
    def test(rng):
        with Crash(8000, opens_in=5.0) as crash:
            crash.start()
            check(crash.wait_line("event=gathering"), "the daemon ended")
            time.sleep(rng.uniform(0.005, 0.04))
            if killed:
                crash.kill()
            crash.write_people(600, without={"person000003@a.example", "person000500@c.example"}, more={"late@b.example"})
            if killed:
                crash.start()
            check(crash.wait_line("event=report"), "the daemon ended before it was done")
            crash.terminate()
            doubts = judge(crash)
            check(doubts == 0, "%d in doubt, and nobody was told yet", doubts)
    return test


def withdrawn(when, change):
    """Killed in mid-flight, and the sale is off "before" the kill or "after" it: before the next start. Who was in hand is in
    doubt, the rest is withheld, nobody waits for ever."""
    def test(rng):
        with Crash(1500, round_trip_ms=5 if when == "after" else 200) as crash:
            crash.start()
            crash.wait_mails(4000)
            if when == "before":
                crash.write_definitions(**change)
                crash.wait_line("withdrawn")
            crash.kill()
            crash.write_definitions(**change)
            crash.start()
            check(crash.wait_line("event=in_doubt"), "the daemon ended before it found doubts")
            time.sleep(0.5)
            crash.terminate()
            ledger = Ledger(crash.path("onsale.db"))
            check(ledger.state == WITHDRAWN and ledger.rest, "state %d, rest %d", ledger.state, ledger.rest)
            got, doubts = judge_mails(crash, ledger), ledger.addresses(IN_DOUBT)
            check(0 < len(got) < 1000, "%d were told before the kill", len(got))
            check(len(doubts) <= crash.doubt_max, "%d in doubt", len(doubts))
            check(not ledger.flight, "%d are in the hands of a process that is dead", len(ledger.flight))
            agree_with_reports(crash, ledger, doubts)
            return "%d mails, %d in doubt" % (len(got), len(doubts))
    return test


def phases():
    """Where a launch may be when it is killed, twice where it can be."""
    slow = {"people": 8000, "connections": 16, "round_trip_ms": 0, "opens_in": 5.0}
    return [
        ("killed while gathering", killed_at("event=gathering", times=3, then="event=started", after_s=0.05, **slow)),
        ("killed as it starts", killed_at("event=started", times=2, after_s=0.05)),
        ("killed when it has gathered", killed_at("event=gathered", after_s=0.005)),
        ("killed at the gate", killed_at("event=gate ", times=2)),
        ("killed between the gate and the first claim", killed_at("event=sending", after_s=0.002)),
        ("killed with its first claims", killed_at("event=sending", after_s=0.01)),
        ("killed when it is done", killed_at("event=done", times=1)),
        ("killed after the report", killed_at("event=report", times=1, after_s=0.002)),
        ("killed while gathering, and the list changes", the_list_changes(killed=True)),
        ("the list changes while it is gathered", the_list_changes(killed=False)),
        ("killed while sending, and the sale is hidden", withdrawn("after", {"hidden": True})),
        ("killed while sending, and the event is cancelled", withdrawn("after", {"status": "CANCELED"})),
        ("killed when the sale has been hidden", withdrawn("before", {"hidden": True})),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("what", nargs="*", choices=["kills", "terms", "phases", []])
    arguments = parser.parse_args()
    what, tests = arguments.what or ["kills", "terms", "phases"], []
    launches = max(arguments.kills // KILLS_A_LAUNCH, 1)
    for i in range(launches if "kills" in what else 0):
        kills = arguments.kills // launches + (i < arguments.kills % launches)
        tests.append(("killed while sending, launch %d" % (i + 1), killed_while_sending(kills, arguments.people)))
    for i in range(max(launches // 10, 1) if "kills" in what else 0):
        tests.append(("killed and repeated, launch %d" % (i + 1), killed_and_repeated(5, arguments.people)))
    for i in range(max(launches // 10, 1) if "terms" in what else 0):
        tests.append(("stopped while sending, launch %d" % (i + 1), stopped_while_sending(10, arguments.people)))
    if "phases" in what:
        tests += phases()
    sys.exit(tell(tests, arguments.jobs, arguments.seed))


if __name__ == "__main__":
    main()
