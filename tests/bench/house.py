"""What the measurements of time share: a folder with a Wix site of any size, people in a CSV, a mail server that answers at
once, the daemon with a probe of its loop in front of it."""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

BENCH = pathlib.Path(__file__).resolve().parent
SOURCE = BENCH.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
KEY = "test-api-key"
SITE_ID = "9d4e27c0-b6a1-4f83-95e2-1c7f08d3ab59"


def moment(at):
    whole = int(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{round((at - whole) * 1000):03d}Z"


def definition(event, number, opens_at):
    """About as long as those of real shops."""
    return {
        "id": f"{event:08x}-{number:04x}-4000-8000-00000000000d", "eventId": f"{event:08x}-0000-4000-8000-00000000000e",
        "revision": "1", "createdDate": "2026-01-01T00:00:00Z", "updatedDate": moment(1767225600 + event + number / 1000),
        "name": f"Ticket {number}", "description": "Doors open an hour before.", "hidden": False, "limited": False,
        "pricingMethod": {"fixedPrice": {"value": "49.90", "currency": "EUR"}, "pricingType": "STANDARD", "free": False},
        "salePeriod": {"startDate": moment(opens_at), "endDate": moment(opens_at + 90 * 86400)},
        "saleStatus": "SALE_SCHEDULED", "salesDetails": {"unsoldCount": 50, "soldOut": False},
        "eventDetails": {
            "title": f"Summer Night {event} on the Pier", "status": "UPCOMING", "location": {"name": "Pier 4"},
            "eventPageUrl": {"base": "https://arena.example", "path": f"/event-{event}"},
            "dateAndTimeSettings": {"startDate": moment(opens_at + 91 * 86400), "timeZoneId": "Europe/Vilnius"}}}


RULE = ("  - {{name: {name}, when: {when}, audiences: [fans], notify: [mail], template: on-sale, gather_ahead: {ahead}}}\n")
CONFIG = """\
store: sqlite:{folder}/onsale.db
instance: bench
sender: {{name: Arena, postal_address: "Street 1, 01100 Vilnius", contact: help@arena.example}}
http: {{listen: ["unix:{folder}/onsale.sock"{doors}]{limits}}}
sites:
  - {site}
audiences:
  - {{name: fans, source: file, path: {folder}/people.csv}}
notifiers:
  - name: mail
    plugin: smtp
    url: smtp://127.0.0.1:{port}
    tls: off
    from: Arena Tickets <tickets@arena.example>
    unsubscribe_url: "https://lists.arena.example/subscription/{{{{address}}}}"
    connections: 100
    messages_per_connection: 0
rules:
{rules}{webhooks}"""
WEBHOOK = ("  - {{name: {name}, url: \"http://127.0.0.1:{port}/{name}\", secret: whsec_d2F0Y2hpbmcgZnJvbSBhZmFyLCBsb25nIGVub3VnaA==, "
           "allow_private: true}}\n")
WIX = ("{{name: arena, source: wix, base_url: \"http://127.0.0.1:{port}\", api_key_file: {folder}/key, site_id: " + SITE_ID +
       ", poll_every: {poll}, time_zone: Europe/Vilnius, language: en, requests: {rate}, gate_reserve: 10/min}}")
FILE = ("{{name: arena, source: file, path: {folder}/definitions.json, poll_every: {poll}, time_zone: Europe/Vilnius, "
        "language: en}}")


class House:
    """`rules`: (name, when) each; `source`: "wix" is the fake of the tests, "pages" a large one that answers at once, or "file".
    Call start(), and close() at the end."""

    def __init__(self, build, people=3, rules=(("on-sale", "sale_start"),), source="wix", ahead="10m", poll="1h", rate="200/min"):
        self.build = pathlib.Path(build).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="onsale-time.", dir=os.environ.get("TMPDIR", "/var/tmp")))
        self.rules, self.source, self.ahead, self.poll, self.rate = rules, source, ahead, poll, rate
        self.process = self.wix = self.sink = self.receiver = None
        self.doors, self.limits = [], {}  # of http, beside the unix socket: "127.0.0.1:8470"; {"connections": 2000}
        self.webhooks = []  # names of endpoints, all of them one program that takes everything
        (self.folder / "key").write_text(KEY)
        os.chmod(self.folder / "key", 0o600)
        self.people(people)

    def people(self, count):
        with open(self.folder / "people.csv", "w", encoding="utf-8") as file:
            file.write("email,first_name,language,timezone,status\n")
            for i in range(count):
                file.write(f"ada.{i * 2654435761 % 2**32:08x}@mail{i % 64}.example,Ada,en,Europe/Vilnius,subscribed\n")

    def define(self, definitions):
        (self.folder / "definitions.json").write_text(json.dumps({"ticketDefinitions": definitions}))
        if self.wix:
            self.steer({"do": "set", "definitions": definitions})

    def steer(self, order):
        request = urllib.request.Request(f"http://127.0.0.1:{self.wix_port}/_control", json.dumps(order).encode(), method="POST")
        urllib.request.urlopen(request).read()

    def wix_requests(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.wix_port}/_log") as answer:
            return json.load(answer)["requests"]

    def start(self, fakes=True):
        if fakes and self.source != "file" and not self.wix:
            world = self.folder / "definitions.json"
            command = ([SOURCE / "tests/fakes/wix.py", "--world", world, "--per-minute", self.rate.split("/")[0]]
                       if self.source == "wix" else [BENCH / "wix_pages.py", world])
            self.wix = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
            self.wix_port = int(self.wix.stdout.readline().split()[1])
        if fakes and not self.sink:
            self.sink = subprocess.Popen([self.build / "tests/sink", "--threads", "2", "--delay", "0"], stdout=subprocess.PIPE,
                                         text=True)
            self.port = int(self.sink.stdout.readline().split()[1])
        if fakes and self.webhooks and not self.receiver:
            self.receiver = subprocess.Popen([sys.executable, BENCH / "receiver.py"], stdout=subprocess.PIPE, text=True)
            self.receiver_port = int(self.receiver.stdout.readline().split()[1])
        site = (WIX.format(folder=self.folder, port=self.wix_port, poll=self.poll, rate=self.rate) if self.source != "file"
                else FILE.format(folder=self.folder, poll=self.poll))
        rules = "".join(RULE.format(name=name, when=when, ahead=self.ahead) for name, when in self.rules) or "  []\n"
        hooks = "".join(WEBHOOK.format(name=name, port=self.receiver_port) for name in self.webhooks)
        (self.folder / "onsale.yaml").write_text(CONFIG.format(
            folder=self.folder, port=self.port, site=site, rules=rules, webhooks=hooks and "webhooks:\n" + hooks, doors="".join(f', "{door}"' for door in self.doors),
            limits="".join(f", {name}: {value}" for name, value in self.limits.items())))
        self.env = dict(os.environ, ONSALE_CONFIG=f"{self.folder}/onsale.yaml", ONSALE_PLUGINS=str(self.build),
                        ONSALE_TEMPLATES=str(SOURCE / "templates"), CACHE_DIRECTORY=str(self.folder),
                        ONSALE_TURNS=f"{self.folder}/turns")
        more = dict(self.env)
        if (self.build / "tests/turn.so").exists():
            more["LD_PRELOAD"] = str(self.build / "tests/turn.so")
        self.started_at = time.time()
        with open(self.folder / "onsale.log", "w") as log:
            self.process = subprocess.Popen([self.build / "onsale", "run"], stderr=log, env=more)

    def log(self):
        return (self.folder / "onsale.log").read_text()

    def wait_log(self, pattern, timeout=60):
        until = time.time() + timeout
        while time.time() < until:
            found = re.search(pattern, self.log())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        sys.exit(f"the daemon never said {pattern!r}:\n{self.log()[-3000:]}")

    def take_state(self, kept):
        """Begins where another house ended, if there is one: before start(), and then settle()."""
        if not kept or not (kept / "onsale.db").exists():
            return False
        for file in kept.glob("*"):
            shutil.copy(file, self.folder)
        return True

    def settle(self):
        """Its state lies in another folder now."""
        self.command("resume", "--this-is-the-one")

    def keep_state(self, kept):
        """For the next one; ends this one."""
        self.stop()
        kept.mkdir(parents=True, exist_ok=True)
        for file in self.folder.glob("onsale.*"):
            if not file.name.endswith((".sock", ".log", ".yaml")):
                shutil.copy(file, kept)
        for file in self.folder.glob("witness*"):
            shutil.copy(file, kept)

    def command(self, *words):
        return subprocess.run([self.build / "onsale", *words], env=self.env, stdout=subprocess.PIPE, check=True).stdout

    def told(self):
        """How many webhooks were taken."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.receiver_port}/") as answer:
            return int(answer.read())

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wakes(self):
        """By thread: how often it has gone to sleep."""
        out = {}
        for status in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/status"):
            text = status.read_text()
            out[status.parent.name] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])
        return out

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous:\s+(\d+)", text, re.M)[1]) / 1024

    def turns(self, since=0.0, until=float("inf")):
        """(end, wall ms, CPU ms) of each turn of the loop in that time."""
        found = []
        with open(self.folder / "turns", "rb") as file:
            while True:
                part = file.read(16 * 65536)
                for at_us, wall_us, cpu_us in struct.iter_unpack("<qII", part):
                    if at_us == 0:
                        return found
                    if since <= at_us / 1e6 <= until:
                        found.append((at_us / 1e6, wall_us / 1e3, cpu_us / 1e3))
                if not part:
                    return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            sys.exit("the daemon did not stop")

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop()
        for other in (self.wix, self.sink, self.receiver):
            if other:
                other.kill()
                other.wait()
        if not os.environ.get("ONSALE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


def parts(values):
    """median, 99th, last."""
    values = sorted(values) or [0]
    return [values[min(len(values) - 1, int(len(values) * part))] for part in (0.5, 0.99, 1)]


def row(name, values, note=""):
    median, most, last = parts(values)
    print(f"  {name:<48} {median:>9.2f} {most:>9.2f} {last:>9.2f}   {note}".rstrip(), flush=True)


def row_of_turns(name, turns):
    row(f"{name}, wall", [wall for _, wall, _ in turns], f"{len(turns):,} turns")
    row(f"{name}, CPU of the thread", [cpu for _, _, cpu in turns])
