"""The shop, the people, and one real daemon that sends to them."""

import base64
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from yardstick import BENCH, CONNECTIONS, Sink

SOURCE = BENCH.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def moment(at):
    whole = int(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{round((at - whole) * 1000):03d}Z"


FIRST = "Ada Ben Clara Dario Emma Farid Greta Hugo Ines Jonas Kira Liam Mia Noor Olga Pavel".split()
LAST = "Nowak Okafor Weiss Rossi Larsen Haddad Lind Moreau Costa Berg Petrova Byrne Sato Khan Ivanova".split()
WHERE = [("en", "Europe/London"), ("de", "Europe/Berlin"), ("en", "Europe/Vilnius"), ("de", "Europe/Vienna"),
         ("en-US", "America/New_York"), ("de-CH", "Europe/Zurich"), ("fr", "Europe/Paris"), ("en", "Asia/Tokyo")]


def write_people(path, count, seed=1):
    """Random addresses: the key index of the ledger is hit everywhere."""
    rand = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        file.write("email,first_name,last_name,language,timezone,status\n")
        for i in range(count):
            word = base64.b32encode(rand.getrandbits(50).to_bytes(7, "big")).decode().rstrip("=").lower()
            language, zone = WHERE[rand.getrandbits(3)]
            first, last = FIRST[rand.getrandbits(4)], LAST[rand.getrandbits(4) % 15]
            file.write(f"{word}.{i}@mail{rand.getrandbits(6)}.example,{first},{last},{language},{zone},subscribed\n")


def definition(at, number, event, opens_at):
    return {
        "id": f"definition-{number}", "eventId": f"event-{event}", "revision": "1",
        "createdDate": "2026-01-01T00:00:00Z", "name": f"Ticket {number}",
        "pricingMethod": {"fixedPrice": {"value": "49.90", "currency": "EUR"}},
        "salePeriod": {"startDate": moment(opens_at), "endDate": moment(opens_at + 30 * 86400)},
        "eventDetails": {
            "title": f"Summer Night {event} on the Pier", "status": "UPCOMING", "location": {"name": "Pier 4"},
            "eventPageUrl": {"base": "https://arena.example", "path": f"/event-{event}"},
            "dateAndTimeSettings": {"startDate": moment(at + 31 * 86400), "timeZoneId": "Europe/Vilnius"}}}


def definitions(opens_at, far=0):
    """One that opens, and `far` more in events of 25 that open much later."""
    now = time.time()
    these = [definition(now, 0, 0, opens_at)] if opens_at else []
    return these + [definition(now, 1 + i, 1 + i // 25, now + (60 + i // 25) * 86400) for i in range(far)]


CONFIG = """\
store: sqlite:{folder}/onsale.db
instance: bench
sender: {{name: Arena, postal_address: "Street 1, 01100 Vilnius", contact: help@arena.example}}
http: {{listen: ["unix:{folder}/onsale.sock"]}}
sites:
  - {{name: arena, source: file, path: definitions.json, poll_every: 1h, time_zone: Europe/Vilnius, language: en}}
audiences:
  - {{name: fans, source: file, path: {people}}}
notifiers:
  - name: mail
    plugin: smtp
{where}    from: Arena Tickets <tickets@arena.example>
    unsubscribe_url: "https://lists.arena.example/subscription/{{{{address}}}}"
    connections: {connections}
    messages_per_connection: 0
{more}
rules:
  - {{name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale, gather_ahead: {ahead}}}
"""


PLAIN = """\
    url: smtp://127.0.0.1:{port}
    tls: off
"""
SECURE = """\
    url: smtp://localhost:{port}
    ca_file: {ca}
    username: onsale
    password: secret
"""


class Daemon:
    """`more`: lines of the notifier; `rules`: lines behind the one rule there is."""

    def __init__(self, build, folder, people, port, opens_in, far=0, more="", ca=None, ahead="10m"):
        self.build, self.folder = build, pathlib.Path(folder)
        self.opens_at = round(time.time() + opens_in, 3) if opens_in else None
        document = {"ticketDefinitions": definitions(self.opens_at, far)}
        (self.folder / "definitions.json").write_text(json.dumps(document))
        where = (SECURE if ca else PLAIN).format(port=port, ca=ca)
        (self.folder / "onsale.yaml").write_text(CONFIG.format(
            folder=folder, people=people, where=where, connections=CONNECTIONS, more=more, ahead=ahead))
        self.env = dict(os.environ, ONSALE_CONFIG=f"{folder}/onsale.yaml", ONSALE_PLUGINS=str(build),
                        ONSALE_TEMPLATES=str(SOURCE / "templates"), CACHE_DIRECTORY=str(folder))
        self.log_path = self.folder / "onsale.log"
        self.start()

    def start(self):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen([self.build / "onsale", "run"], stderr=log, env=self.env)

    def log(self):
        return self.log_path.read_text()

    def wait_log(self, pattern, timeout):
        until = time.time() + timeout
        while time.time() < until:
            found = re.search(pattern, self.log())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"the daemon never said {pattern!r}:\n{self.log()[-3000:]}")

    def wait_done(self, timeout=600, every=None):
        """Until the report; `every` is called ten times a second."""
        until = time.time() + timeout
        while not re.search(r"event=report", self.log()):
            if every:
                every()
            if re.search(r"event=(held|missed)", self.log()) or self.process.poll() is not None or time.time() > until:
                sys.exit(f"the launch did not go well:\n{self.log()[-3000:]}")
            time.sleep(0.1)

    def show(self, notice=1):
        said = subprocess.run([self.build / "onsale", "show", str(notice), "--json"], env=self.env,
                              stdout=subprocess.PIPE, check=True)
        return json.loads(said.stdout)

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """MB: anonymous, RSS, PSS."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return [int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) / 1024 for name in ("Anonymous", "Rss", "Pss")]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            sys.exit("the daemon did not stop")


def lead_s(count):
    """Time for the start, for gathering twice, and for connections and messages to be made ready."""
    return 6 + count / 20000


class Probe:
    """Another process that asks /healthz all the time."""

    def __init__(self, folder):
        self.process = subprocess.Popen([sys.executable, BENCH / "probe.py", f"{folder}/onsale.sock"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def close(self):
        """Milliseconds by wall time."""
        said, _ = self.process.communicate("")
        return [tuple(float(word) for word in line.split()) for line in said.splitlines()]


def people_of(base, count):
    path = base / f"people-{count}.csv"
    if not path.exists():
        write_people(path, count)
    return path


def check_whole(count, counts, show):
    if counts["taken"] != count or show["counts"]["accepted"] != count:
        sys.exit(f"{count} people, {counts['taken']} mails at the sink, the ledger says {show['counts']}")


def run_launch(build, base, count, delay_ms=0, think_ms=0, far=0, watch_memory=False, probe=False, more="", tls=None):
    """One launch of a fresh daemon with a fresh ledger; everything that is measured on the way. `tls`: the two files of
    make_certificate()."""
    people = people_of(base, count)
    folder = tempfile.mkdtemp(prefix="launch-", dir=base)
    sink = Sink(build, delay_ms, think_ms, pem=tls and tls[1])
    daemon = Daemon(build, folder, people, sink.port, lead_s(count), far, more=more, ca=tls and tls[0])
    out, most = {}, [0, 0, 0]

    def look():
        if watch_memory:
            most[:] = [max(pair) for pair in zip(most, daemon.memory())]

    try:
        found = daemon.wait_log(r"event=gathered .*records=(\d+) .*ms=(\d+)", lead_s(count) + 60)
        out["gathered"] = int(found[1]) / (int(found[2]) / 1000)
        time.sleep(max(0, daemon.opens_at - time.time() - 0.3))
        before = daemon.cpu()
        asking = Probe(folder) if probe else None
        daemon.wait_done(every=look)
        out["cpu"] = (daemon.cpu() - before) / count * 1e5
        out["memory"] = most
        if asking:
            out["health"] = [ms for at, ms in asking.close() if at >= daemon.opens_at]
        show = daemon.show()
    finally:
        daemon.close()
        counts = sink.close()
    check_whole(count, counts, show)
    gate = re.search(r"event=gate .*?action=release (?:asked_ms=(\d+) )?ms=(\d+)", daemon.log())
    out.update(rate=counts["rate"], size=counts["size"],
               alarm=int(gate[1] or 0), gate=int(gate[2]), handover=show["late_ms"],
               arrived=(counts["first_at"] - daemon.opens_at) * 1000)
    shutil.rmtree(folder)
    return out
