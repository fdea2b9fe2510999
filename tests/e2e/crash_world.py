"""A launch that may be killed: the daemon that was built, a definition from a file, people from a CSV, mail over real SMTP.

What the crash tests share: the folder, the mail server (whose log is the truth about who got what), the daemon and the ways
it ends. Judging is crash_check.py's."""
import atexit
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = os.environ.get("ONSALE_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("ONSALE_BUILD") or os.path.join(SOURCE, "build")
EVENT = "summer-night"
NOTICE_DONE, NOTICE_MISSED = 5, 6  # enum notice_state
_children = set()


class Failed(Exception):
    """What a test found wrong."""


def check(good, text, *values):
    if not good:
        raise Failed(text % values if values else text)


@atexit.register
def _end_all():
    for process in list(_children):
        process.kill()


def _spawn(command, **more):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)
    _children.add(process)
    return process


def _moment(at_s):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(at_s))) + ".%03dZ" % (at_s % 1 * 1000)


class Crash:
    """One launch. `people`: how many may be told; beside each twentieth stands somebody who may not.
    `round_trip_ms`: until each answer of the mail server. `nasty`: every so manieth recipient is told to come back, each hundredth never to."""

    def __init__(self, people, opens_in=3.0, connections=8, round_trip_ms=2, nasty=0, doubt_max=32, gather_ahead="1m",
                 program="onsale", in_doubt="keep"):
        self.folder = tempfile.mkdtemp(prefix="onsale-crash.")
        self.program, self.doubt_max, self.kills = os.path.join(BUILD, program), doubt_max, 0
        self.in_doubt = in_doubt
        self.opens_in, self.opens_at_s, self.gather_ahead, self.connections = opens_in, None, gather_ahead, connections
        self.daemon, self.daemon_lines, self.output, self.before = None, [], None, 0
        self.eligible = set()
        self.write_people(people)
        self.start_sink(round_trip_ms, nasty)
        self.write_config()

    def close(self):
        for process in (self.daemon, self.sink):
            if process and process.poll() is None:
                process.kill()
                process.wait()
            _children.discard(process)
        if not os.environ.get("ONSALE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            error.account = "folder %s%s\nthe daemon's log:\n%s" % (
                self.folder, "" if os.environ.get("ONSALE_KEEP") else " (ONSALE_KEEP=1 keeps it)", self.log(60))
        self.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        """Whole or not at all: the daemon may look at any time."""
        with open(self.path(name) + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.path(name) + ".new", self.path(name))

    # --- The world

    def write_people(self, count, without=(), more=()):
        rows = ["email,first_name,language,timezone,status,events"]
        self.eligible = set(more)
        for i in range(count):
            address = "person%06d@%s.example" % (i, ("a", "b", "c")[i % 3])
            if address not in without:
                self.eligible.add(address)
                rows.append("%s,Person %d,%s,Europe/Vilnius,subscribed,%s" % (address, i, ("en", "de")[i % 2], EVENT))
            if i % 20 == 0:
                rows.append("never%06d@a.example,No,en,Europe/Vilnius,unsubscribed,%s" % (i, EVENT))
        rows += ["%s,Late,en,Europe/Vilnius,subscribed,%s" % (address, EVENT) for address in more]
        self.write("people.csv", "\n".join(rows) + "\n")

    def write_definitions(self, hidden=False, status="UPCOMING"):
        later = _moment(self.opens_at_s + 30 * 86400)
        self.write("definitions.json", json.dumps({"ticketDefinitions": [{
            "id": "general", "eventId": EVENT, "revision": "2" if hidden or status != "UPCOMING" else "1",
            "createdDate": "2026-01-01T00:00:00Z", "name": "General admission", "hidden": hidden,
            "pricingMethod": {"fixedPrice": {"value": "49.90", "currency": "EUR"}},
            "salePeriod": {"startDate": _moment(self.opens_at_s), "endDate": later},
            "eventDetails": {
                "title": "Summer Night", "status": status, "location": {"name": "Pier 4"},
                "eventPageUrl": {"base": "https://arena.example", "path": "/summer-night"},
                "dateAndTimeSettings": {"startDate": later, "timeZoneId": "Europe/Vilnius"}}}]}))

    def start_sink(self, round_trip_ms, nasty):
        behaviour = {"coalesce": True, "delay": {"dot": round_trip_ms / 1000, "rcpt": round_trip_ms / 1000}}
        if nasty:
            behaviour.update(refuse_every=nasty, refuse_reply="450 4.2.1 mailbox busy, come back",
                             refuse=[{"to": "person*77@*", "reply": "550 5.1.1 no such user"}])
        self.write("behaviour.json", json.dumps(behaviour))
        with open(self.path("sink.log"), "w", encoding="utf-8"):
            pass
        self.sink = _spawn([sys.executable, os.path.join(SOURCE, "tests", "fakes", "smtp_sink.py"), "--log",
                            self.path("sink.log"), "--behaviour", self.path("behaviour.json")],
                           stdout=subprocess.PIPE, text=True)
        self.sink_port = int(self.sink.stdout.readline().split()[1])

    def write_config(self):
        self.write("onsale.yaml", json.dumps({  # JSON is YAML, too
            "store": "sqlite:onsale.db", "instance": "crash", "stop_grace": "10s",
            "sender": {"name": "Arena", "postal_address": "Street 1, 01100 Vilnius", "contact": "help@arena.example"},
            "http": {"listen": ["unix:onsale.sock"]},
            "sites": [{"name": "arena", "source": "file", "path": "definitions.json", "poll_every": "1s",
                       "time_zone": "Europe/Vilnius", "language": "en"}],
            "audiences": [{"name": "fans", "source": "file", "path": "people.csv",
                           "interest": {"attribute": "events"}}],
            "notifiers": [{"name": "mail", "plugin": "smtp", "url": "smtp://127.0.0.1:%d" % self.sink_port, "tls": "off",
                           "from": "Arena <tickets@arena.example>", "connections": self.connections,
                           "doubt_max": self.doubt_max, "connect_timeout": "5s"}],
            "rules": [{"name": "on-sale", "when": "sale_start", "audiences": ["fans"], "notify": ["mail"],
                       "template": "on-sale", "gather_ahead": self.gather_ahead, "in_doubt": self.in_doubt,
                       "retry": {"attempts": 20, "first": "50ms", "cap": "500ms"}}]}, indent=1))

    @property
    def environment(self):
        return {**os.environ, "ONSALE_CONFIG": self.path("onsale.yaml"), "ONSALE_PLUGINS": BUILD,
                "ONSALE_TEMPLATES": os.path.join(SOURCE, "templates"), "CACHE_DIRECTORY": self.folder}

    def onsale(self, *words):
        return subprocess.run([self.program, *words], env=self.environment, timeout=60, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    # --- The daemon

    def start(self, **environment):
        """The sale opens so long after the first start. Lines are read by a thread of their own: whoever waits for one hears
        of it at once."""
        if self.opens_at_s is None:
            self.opens_at_s = time.time() + self.opens_in
            self.write_definitions()
        self.daemon = _spawn([self.program, "run"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                             errors="replace", env={**self.environment, **environment})
        self.before = len(self.daemon_lines)
        self.heard = threading.Condition()
        self.reader = threading.Thread(target=self._read, args=(self.daemon, self.heard), daemon=True)
        self.reader.start()

    def _read(self, daemon, heard):
        for line in daemon.stderr:
            with heard:
                self.daemon_lines.append(line)
                heard.notify_all()
        with heard:
            heard.notify_all()

    def log(self, lines):
        return "".join(self.daemon_lines[-lines:])

    def wait_line(self, words, timeout=20):
        """Until this start of the daemon has written a line with these words; False when it ended before."""
        give_up_at, seen = time.monotonic() + timeout, self.before
        with self.heard:
            while True:
                for line in self.daemon_lines[seen:]:
                    if words in line:
                        return True
                seen = len(self.daemon_lines)
                if not self.reader.is_alive():
                    return False
                left = give_up_at - time.monotonic()
                check(left > 0, "waited %d s for %s", timeout, words)
                self.heard.wait(min(left, 0.2))

    def kill(self):
        self.daemon.kill()
        self.kills += 1
        self.ended(-signal.SIGKILL)

    def terminate(self):
        self.daemon.terminate()
        self.ended(0)

    def ended(self, *codes, timeout=30):
        """Waits for its end and judges how it came."""
        try:
            code = self.daemon.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed("the daemon has not ended within %d s" % timeout) from None
        self.reader.join(timeout)
        self.daemon.stderr.close()
        _children.discard(self.daemon)
        check(code in codes, "the daemon ended with %d, expected %s", code, " or ".join(map(str, codes)))
        return code

    def is_done(self):
        """By what is on disk, not by what the daemon says."""
        state = sqlite3.connect(self.path("onsale.db"), timeout=5)
        try:
            states = state.execute("SELECT state FROM notice").fetchall()
        except sqlite3.OperationalError:  # not made yet
            return False
        finally:
            state.close()
        check(states != [(NOTICE_MISSED,)], "the notice was missed")
        return states == [(NOTICE_DONE,)]

    def run_until_done(self, timeout=60, **environment):
        """Goes on until the notice is done, and stops in order. True when it was killed before, by a failpoint."""
        self.start(**environment)
        give_up_at = time.monotonic() + timeout
        while self.daemon.poll() is None and not self.is_done():
            check(time.monotonic() < give_up_at, "not done after %d s", timeout)
            time.sleep(0.02)
        if self.wait_line("event=started"):  # before that it does not listen
            self.daemon.terminate()
        died = self.ended(0, -signal.SIGKILL) != 0
        self.kills += died
        return died

    # --- The mail server

    def mails(self):
        with open(self.path("sink.log"), encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def sink_size(self):
        return os.path.getsize(self.path("sink.log"))

    def wait_mails(self, size, timeout=10):
        """Until the log is longer than `size` bytes; False when the daemon ended or has nobody left first."""
        give_up_at = time.monotonic() + timeout
        while self.sink_size() <= size:
            if self.daemon.poll() is not None or time.monotonic() > give_up_at or self.says_done():
                return False
            time.sleep(0.001)
        return True

    def says_done(self):
        return any("event=report" in line for line in self.daemon_lines)


def tell(tests, jobs, seed):
    """Runs `tests`, (name, function taking a random generator), a few at a time, as TAP; the exit code."""
    import concurrent.futures
    import traceback

    printing, number = threading.Lock(), iter(range(1, len(tests) + 1))

    def one(name, test):
        started = time.monotonic()
        try:
            text = test(random.Random("%s %s" % (seed, name))) or ""
            failure = None
        except Exception as error:  # the reader gets all of it
            text = ""
            failure = "%s\n%s" % (error if isinstance(error, Failed) else traceback.format_exc(),
                                  getattr(error, "account", ""))
        with printing:
            print("%sok %d - %s # %s%.1f s" % ("not " if failure else "", next(number), name, text and text + ", ",
                                                time.monotonic() - started), flush=True)
            for line in (failure or "").splitlines():
                print("# " + line, flush=True)
        return failure is None

    print("1..%d" % len(tests), flush=True)
    print("# again with: --seed %s" % seed, flush=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda test: one(*test), tests))
    return 0 if all(results) else 1
