"""What the end-to-end tests of the command line share: a folder with a small real launch (a file source, a CSV audience, an
outbox), a daemon in it, and the commands. Everything runs as built; nothing is faked."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("ONSALE_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("ONSALE_BUILD") or os.path.join(SOURCE, "build")

PEOPLE = """email,name,locale,time_zone,status,events,city
ada@fans.example,Ada Nowak,en,Europe/Vilnius,subscribed,summer-night,Vilnius
bert@fans.example,Bert Maier,de,Europe/Berlin,subscribed,summer-night,Berlin
carol@fans.example,Carol Ray,en,America/New_York,unsubscribed,summer-night,New York
dan@fans.example,Dan Other,en,,subscribed,another-event,Riga
"""

CONFIG = """store: sqlite:{folder}/onsale.db
instance: test
sender: {{name: Arena, postal_address: "Street 1, 01100 Vilnius", contact: help@arena.example}}
http: {{listen: ["unix:{folder}/onsale.sock"]}}
operators: [ops@arena.example]
sites:
  - {{name: arena, source: file, path: definitions.json, poll_every: 1s, time_zone: Europe/Vilnius, language: en}}
audiences:
  - {{name: fans, source: file, path: people.csv, interest: {{attribute: events}}}}
notifiers:
  - {{name: mail, plugin: outbox, path: mails, from: Arena Tickets <tickets@arena.example>}}
rules:
  - {{name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale, seed: [me@arena.example]}}
  - {{name: ending, when: 1h before sale_end, audiences: [fans], notify: [mail], template: sale-ending}}
"""


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Small:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="onsale-cli.")
        self.daemon = None
        self.environment = dict(os.environ, ONSALE_CONFIG=self.path("onsale.yaml"), ONSALE_PLUGINS=BUILD,
                                ONSALE_TEMPLATES=os.path.join(SOURCE, "templates"), CACHE_DIRECTORY=self.folder, TZ="UTC")
        self.write("people.csv", PEOPLE)
        self.write("onsale.yaml", CONFIG.format(folder=self.folder))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def sale(self, in_seconds, title="Summer Night"):
        """One event with two tickets whose sale opens so many seconds from now."""
        opens = int(time.time()) + in_seconds
        ticket = {"eventId": "summer-night", "revision": "1", "createdDate": "2026-01-01T00:00:00Z",
                  "pricingMethod": {"fixedPrice": {"value": "35.00", "currency": "EUR"}},
                  "salePeriod": {"startDate": rfc3339(opens), "endDate": rfc3339(opens + 30 * 86400)},
                  "eventDetails": {"title": title, "status": "UPCOMING",
                                   "dateAndTimeSettings": {"startDate": rfc3339(opens + 40 * 86400),
                                                           "timeZoneId": "Europe/Vilnius"}}}
        tickets = [dict(ticket, id="early", name="Early bird"), dict(ticket, id="late", name="Late bird")]
        self.write("definitions.json", json.dumps({"ticketDefinitions": tickets}))

    def run(self, *arguments, **more):
        return subprocess.run([os.path.join(BUILD, "onsale"), *arguments], env={**self.environment, **more}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, errors="surrogateescape", timeout=60)

    def json(self, *arguments):
        answer = self.run(*arguments, "--json")
        assert answer.returncode == 0, (arguments, answer.returncode, answer.stderr)
        return json.loads(answer.stdout)

    def start(self):
        self.daemon = subprocess.Popen([os.path.join(BUILD, "onsale"), "run"], env=self.environment,
                                       stderr=open(self.path("log"), "a", encoding="utf-8"))
        self.wait(lambda: "event=started" in open(self.path("log"), encoding="utf-8").read() and
                  os.path.exists(self.path("onsale.sock")))

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            assert self.daemon.wait(timeout=30) == 0, open(self.path("log"), encoding="utf-8").read()
            self.daemon = None

    def wait(self, what, seconds=30):
        end = time.time() + seconds
        while not what():
            assert time.time() < end, "waited too long\n" + open(self.path("log"), encoding="utf-8").read()
            time.sleep(0.05)

    def state(self, notice):
        return self.json("show", str(notice))["state"]

    def mails(self):
        folder = self.path("mails/new")
        return [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []

    def close(self):
        try:
            self.stop()
        finally:
            if self.daemon:
                self.daemon.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


def main(test):
    """Runs it; the folder is kept in mind only as long as it lasts."""
    small = Small()
    try:
        test(small)
    finally:
        small.close()
    print("fine")
    sys.exit(0)
