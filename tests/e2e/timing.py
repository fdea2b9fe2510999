#!/usr/bin/env python3
"""What costs nothing, and what costs as little as it can: an idle daemon sleeps, 300 notices at one second are one question in
three parts. Counted, never timed."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

from launch import check, tell
from small import SOURCE, Small, rfc3339

NOTICES = 300
PEOPLE = "email,name,status\nada@fans.example,Ada,subscribed\nbert@fans.example,Bert,subscribed\n"


def wakes(process):
    """How often its threads have gone to sleep so far."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)[1])
               for status in pathlib.Path(f"/proc/{process.pid}/task").glob("*/status"))


def configure(small, site, rules):
    text = pathlib.Path(small.path("onsale.yaml")).read_text()
    text = re.sub(r"  - \{name: arena.*\n", f"  - {site}\n", text)
    text = text.replace(", interest: {attribute: events}", "").replace("operators: [ops@arena.example]\n", "")
    small.write("onsale.yaml", text[:text.index("rules:")] + "rules:\n" + "".join(f"  - {rule}\n" for rule in rules))
    small.write("people.csv", PEOPLE)


def an_idle_daemon_sleeps():
    small = Small()
    try:
        configure(small, "{name: arena, source: file, path: definitions.json, poll_every: 1h, time_zone: Europe/Vilnius}",
                  ["{name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale}"])
        small.sale(40 * 86400)
        small.start()
        time.sleep(4)
        before = wakes(small.daemon)
        time.sleep(10)
        count = wakes(small.daemon) - before
        # The look at the store every five seconds wakes two threads; it becomes rare when nothing was to do for two minutes.
        check(count <= 14, "the threads of an idle daemon woke %d times in ten seconds", count)
    finally:
        small.close()


def world(opens_at):
    return [{"id": f"{i:08x}-0000-4000-8000-00000000000d", "eventId": f"{i:08x}-0000-4000-8000-00000000000e", "revision": "1",
             "createdDate": "2026-01-01T00:00:00Z", "updatedDate": "2026-01-01T00:00:00Z", "name": "Ticket",
             "pricingMethod": {"fixedPrice": {"value": "9.00", "currency": "EUR"}},
             "salePeriod": {"startDate": rfc3339(opens_at), "endDate": rfc3339(opens_at + 86400)},
             "eventDetails": {"title": f"Night {i}", "status": "UPCOMING",
                              "dateAndTimeSettings": {"startDate": rfc3339(opens_at + 90000), "timeZoneId": "Europe/Vilnius"}}}
            for i in range(NOTICES)]


def three_hundred_ask_three_times():
    small, opens_at = Small(), int(time.time()) + 32
    small.write("world.json", json.dumps({"ticketDefinitions": world(opens_at)}))
    small.write("key", "test-api-key")
    os.chmod(small.path("key"), 0o600)
    wix = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/fakes/wix.py"), "--world", small.path("world.json")],
                           stdout=subprocess.PIPE, text=True)
    try:
        port = int(wix.stdout.readline().split()[1])
        configure(small, f'{{name: arena, source: wix, base_url: "http://127.0.0.1:{port}", api_key_file: {small.path("key")}, '
                  "site_id: 9d4e27c0-b6a1-4f83-95e2-1c7f08d3ab59, poll_every: 1h, time_zone: Europe/Vilnius}",
                  ["{name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale, gather_ahead: 25s}"])
        small.start()
        small.wait(lambda: pathlib.Path(small.path("log")).read_text().count("event=report ") == NOTICES, 70)
        check(len(small.mails()) == 2 * NOTICES, "%d mails", len(small.mails()))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_log") as answer:
            asked = [one for one in json.load(answer)["requests"] if one["at_ms"] >= opens_at * 1000]
        check(len(asked) == 3 and all(one["kind"] == "query" for one in asked), "at the gate it asked %s",
              [(one["kind"], one["at_ms"] - opens_at * 1000) for one in asked])
    finally:
        small.close()
        wix.kill()
        wix.wait()


if __name__ == "__main__":
    tell([an_idle_daemon_sleeps, three_hundred_ask_three_times])
