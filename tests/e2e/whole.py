#!/usr/bin/env python3
"""A whole site and a whole audience: 1,000 definitions of 40 events, 20,000 people in all states, one event that opens."""
from launch import EVENT, Launch, check, tell


def whole(round_trip_ms, connections):
    """The mail server answers that much later to what opens an exchange, and to each message."""
    delay = {place: round_trip_ms / 1000 for place in ("greeting", "ehlo", "mail", "dot")} if round_trip_ms else 0
    with Launch(opens_in=14, people=20000, definitions=1000, events=40, behaviour={"delay": delay}) as launch:
        launch.site["poll_every"] = "5s"
        launch.rule["gather_ahead"] = "12s"
        launch.mail["connections"] = connections
        launch.run()
        launch.wait("ready", timeout=60)
        others = {n["event_id"]: n["state"] for n in launch.ask("notices") if n["event_id"] != EVENT}
        check(len(others) == 36, "%d other events have notices, expected 40 but the first, cancelled, draft, ended", len(others))
        launch.wait("done", timeout=60)
        eligible = launch.eligible()
        check(4000 < len(eligible) < 8000, "the fake has %d eligible people", len(eligible))
        launch.agree(eligible)
        check({n["state"] for n in launch.ask("notices") if n["event_id"] != EVENT} == {"planned"}, "another event moved")


def at_no_distance():
    whole(0, 8)


def at_2_ms():
    whole(2, 20)


def at_20_ms():
    whole(20, 60)


if __name__ == "__main__":
    tell([at_no_distance, at_2_ms, at_20_ms], at_a_time=1)
