#!/usr/bin/env python3
"""A launch of three people is ended right before, and right after, each of its durable writes in turn, and goes on at the next
start: nobody is lost, nobody is told twice.

    crash_failpoints.py [--program FILE] [--twice] [--jobs N] [--seed S]

The program is built with failpoints (tests/meson.build). --twice: the next start is ended as well, at a random write."""
import argparse
import concurrent.futures
import json
import random
import sys

from crash_check import judge
from crash_world import BUILD, Crash, Failed, check, tell

WRITES_MOST = 100  # of a launch of three: beyond that something writes for ever


LEAD_S, LONG_LEAD_S = 3, 20


def came_late(crash):
    """A busy machine had not started it twice before the sale opened: nothing is known."""
    shown = crash.onsale("notices", "--json")
    return shown.returncode == 0 and [one["reason"] for one in json.loads(shown.stdout)] == ["before our time"]


def ended_once(program, variable, at, again, opens_in=LEAD_S):
    """(whether the launch was ended there, how many are in doubt)"""
    with Crash(3, opens_in, connections=1, doubt_max=2, nasty=2, round_trip_ms=0, program=program) as crash:
        try:
            died = crash.run_until_done(**{variable: str(at)})
            if died and again:
                crash.run_until_done(**{variable: str(again)})
            check(not crash.run_until_done(), "killed by nobody")
            if not crash.says_done():  # it was ended, and told to end, before it came to it
                crash.start()
                check(crash.wait_line("event=report"), "the report was never said")
                crash.terminate()
            return died, judge(crash)
        except Failed as failed:
            if opens_in < LONG_LEAD_S and came_late(crash):
                return ended_once(program, variable, at, again, LONG_LEAD_S)
            raise Failed("%s=%d%s: %s" % (variable, at, ", then %d" % again if again else "", failed)) from None


def every_write(program, variable, jobs, twice):
    def test(rng):
        ends, doubts, at = 0, 0, 0
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            while at < WRITES_MOST:
                these = [(n, rng.randrange(1, 12) if twice else 0) for n in range(at + 1, at + jobs + 1)]
                results = list(pool.map(lambda one: ended_once(program, variable, *one), these))
                ends += sum(died for died, _ in results)
                doubts += sum(count for _, count in results)
                at += jobs
                if not results[-1][0]:
                    break
        check(at < WRITES_MOST, "%d writes, and it is not done", at)
        check(ends > 8, "ended %d times only: has the program no failpoints?", ends)
        return "%d ends, %d in doubt" % (ends, doubts)
    return test


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=BUILD + "/tests/onsale-failpoints")
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--jobs", type=int, default=9)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    arguments = parser.parse_args()
    sys.exit(tell([
        ("ended before each durable write",
         every_write(arguments.program, "ONSALE_FAILPOINT", arguments.jobs, arguments.twice)),
        ("ended after each durable write",
         every_write(arguments.program, "ONSALE_FAILPOINT_AFTER", arguments.jobs, arguments.twice)),
    ], 1, arguments.seed))


if __name__ == "__main__":
    main()
