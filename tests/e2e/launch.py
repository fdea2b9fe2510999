"""A whole launch on real sockets: the daemon that was built, beside a Wix site, a listmonk and a mail server of tests/fakes.

    def told(house):
        with house.launch(opens_in=5) as launch:
            launch.run()
            launch.wait("done")
            launch.agree(launch.eligible())

    if __name__ == "__main__":
        tell([told])

A story is a function; tell() runs those named on the command line, or all, a few at a time, as TAP. Each launch has a
folder of its own with the configuration, the state, the daemon's log and the mail server's; it is removed at the end unless
the story failed and ONSALE_KEEP is set. The daemon is found by ONSALE_BUILD (default: build).
"""
import atexit
import concurrent.futures
import datetime
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SOURCE = os.environ.get("ONSALE_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("ONSALE_BUILD") or os.path.join(SOURCE, "build")
FAKES = os.path.join(SOURCE, "tests", "fakes")
sys.path.insert(0, FAKES)
import wix_world  # noqa: E402

EVENT = "5f1c7a52-3a0e-4c07-9a9b-6d2b1a7c77e1"  # the one that people of the fake listmonk care for
SITE_ID = "9d4e27c0-b6a1-4f83-95e2-1c7f08d3ab59"
AT_A_TIME = int(os.environ.get("ONSALE_JOBS", "6"))  # stories mostly wait
_children, _folders = set(), set()
_children_lock = threading.Lock()
_alone = threading.Lock()


class Failed(Exception):
    """What a story found wrong."""


class TooSlow(Failed):
    """The machine could not stage the story in time, so nothing is known. It is told once more, one such story at a time."""


def check(good, text, *values):
    if not good:
        raise Failed(text % values if values else text)


def now_ms():
    return time.time_ns() // 1000000


def moment(at_ms):
    at = datetime.datetime.fromtimestamp(at_ms // 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (at_ms % 1000)


def moment_ms(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return round(at.timestamp() * 1000)


def spawn(command, **more):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)
    with _children_lock:
        _children.add(process)
    return process


def end(process, number=signal.SIGKILL, timeout=5):
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with _children_lock:
        _children.discard(process)
    return process.returncode


@atexit.register
def _end_all():
    for process in list(_children):
        end(process)


_port_claims = []


def free_port():
    """Below the ports that the system gives out by itself, so that it stays free while a fake is stopped. The claim, a name
    that only one process on the machine can hold, keeps other stories off it before and between the fake's lives."""
    while True:
        port = random.randrange(10000, 32000)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind("\0onsale-test-port-%d" % port)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            _port_claims.append(claim)
            return port
        except OSError:
            claim.close()


def _end_now(*_):
    """Told to stop in the middle: nobody and nothing is left behind."""
    _end_all()
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


class Fake:
    """One of tests/fakes, in a process of its own."""

    def __init__(self, folder, name, *arguments):
        self.name, self.command = name, [sys.executable, os.path.join(FAKES, name + ".py"), *map(str, arguments)]
        self.errors, self.process = os.path.join(folder, name + ".log"), None
        self.port, self.control_port = free_port(), free_port()
        self.many = {}  # of a smtp_sink that is many: name -> port
        self.start()

    def start(self):
        """Also again, on the same ports, when it was stopped."""
        ports = ["--port", str(self.port)]
        if self.name == "smtp_sink":
            ports += ["--control", str(self.control_port)]
        with open(self.errors, "a", encoding="utf-8") as errors:
            self.process = spawn(self.command + ports, stdout=subprocess.PIPE, stderr=errors, text=True)
        if "--many" in self.command:
            self.many = json.loads(self.ready()[len("many "):])
        for _ in ports[::2]:
            self.ready()

    def ready(self):
        line = self.process.stdout.readline()
        check(line, "%s did not start: %s", self.name, tail(self.errors))
        return line

    def stop(self):
        end(self.process)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        check(answer.status == 200, "%s %s: %d %s", self.name, path, answer.status, data[:300])
        return json.loads(data)

    def get(self, path):
        return self.ask("GET", path)

    def control(self, order):
        return self.ask("POST", "/_control", order)

    def behave(self, **behaviour):
        """The mail server's behaviour from now on; {"op": ...} asks something else of it."""
        with socket.create_connection(("127.0.0.1", self.control_port), timeout=20) as line:
            line.sendall(json.dumps(behaviour).encode() + b"\n")
            return json.loads(line.makefile().readline())


def tail(path, lines=25):
    if not os.path.exists(path):
        return "(no %s)" % os.path.basename(path)
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-lines:])


class Launch:
    """One folder, its fakes and its daemon. `opens_in` counts from run()."""

    def __init__(self, opens_in=7, people=300, definitions=6, events=3, behaviour=None, tls=False, many=None):
        """`many`: from the launch, whose folder is there, the behaviours of more mail servers by name."""
        self.folder = tempfile.mkdtemp(prefix="onsale-e2e.")
        _folders.add(self.folder)
        self.opens_in, self.definitions, self.events = opens_in, definitions, events
        self.daemon, self.opens_at_ms, self.at_the_gate = None, None, []
        self.sink_log = self.path("sink.jsonl")
        self.write("behaviour.json", json.dumps(behaviour or {}))
        self.write("wix.key", "test-api-key\n")
        self.write("listmonk.token", "secret\n")
        self.wix = Fake(self.folder, "wix", "--per-minute", 0)
        self.listmonk = Fake(self.folder, "listmonk", "--people", people)
        keys = self.make_certificate() if tls else []
        if many:
            self.write("many.json", json.dumps(many(self)))
            keys += ["--many", self.path("many.json")]
        self.sink = Fake(self.folder, "smtp_sink", "--log", self.sink_log, "--behaviour", self.path("behaviour.json"), *keys)
        self.site = {
            "name": "arena", "source": "wix", "base_url": "http://127.0.0.1:%d" % self.wix.port, "site_id": SITE_ID,
            "api_key_file": "wix.key", "poll_every": "1s", "requests": "2000/min", "timeout": "2s",
            "time_zone": "Europe/Vilnius", "language": "en"}
        self.fans = {
            "name": "fans", "source": "listmonk", "url": "http://127.0.0.1:%d" % self.listmonk.port,
            "username": "onsale", "token_file": "listmonk.token", "lists": [7], "sql": True,
            "interest": {"attribute": "events"}}
        self.mail = {
            "name": "mail", "plugin": "smtp", "url": "smtp://127.0.0.1:%d" % self.sink.port, "tls": "off",
            "from": "Arena Tickets <tickets@arena.example>", "connections": 4, "connect_timeout": "2s"}
        self.rule = {
            "name": "on-sale", "when": "sale_start", "audiences": ["fans"], "notify": ["mail"], "template": "on-sale",
            "gather_ahead": "4s"}
        self.config = {
            "store": "sqlite:onsale.db", "instance": "e2e", "stop_grace": "5s",
            "sender": {"name": "Arena", "postal_address": "Street 1, 01100 Vilnius", "contact": "help@arena.example"},
            "http": {"listen": ["unix:onsale.sock"]},
            "sites": [self.site], "audiences": [self.fans], "notifiers": [self.mail], "rules": [self.rule]}

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.goodbye()
        except Failed as failed:
            kind, error = Failed, failed
            raise
        finally:
            if kind is not None:
                error.launch = self.account()
            self.clear(kind is not None)

    def goodbye(self):
        """Wherever a story leaves it, the daemon ends in order, and no sanitizer has a word to say."""
        if self.daemon and self.daemon.poll() is None:
            code = self.stop(timeout=30)
            check(code == 0, "told to stop, the daemon ended with %d", code)
        log = self.log_since() if self.daemon else ""
        for word in ("Sanitizer", "runtime error:"):
            check(word not in log, "%s", log[max(0, log.find(word) - 200):][:3000])

    def clear(self, failed):
        for process in [self.daemon, self.wix.process, self.listmonk.process, self.sink.process]:
            if process:
                end(process)
        if not failed or not os.environ.get("ONSALE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def account(self):
        """What a reader of a failed test wants to see."""
        says = "" if not self.daemon or self.daemon.poll() is None else "the daemon ended with %d\n" % self.daemon.returncode
        shown = self.try_onsale("notices").stdout if self.opens_at_ms else ""
        return "%s%s\nthe daemon's log (%s):\n%s" % (says, shown, self.path("onsale.log"), tail(self.path("onsale.log")))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def room(self, megabytes=None):
        """Call it before the daemon starts, and then whenever the room that is left is to change; None: what there is."""
        self.preload("little_room", LITTLE_ROOM=self.path("room"))
        if megabytes is not None:
            self.write("room", "%d\n" % megabytes)
        elif os.path.exists(self.path("room")):
            os.remove(self.path("room"))

    def preload(self, name, **environment):
        """One of tests/fakes under the daemon, from its next start on."""
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.daemon_environment = {"ASAN_OPTIONS": sanitizer, "LD_PRELOAD": os.path.join(BUILD, "tests", name + ".so"),
                                   **environment}

    def make_certificate(self, *names):
        """For this machine, and for these names."""
        key, cert = self.path("key.pem"), self.path("cert.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=" + ",".join(["DNS:localhost", "IP:127.0.0.1", *("DNS:" + name for name in names)]), "-keyout", key, "-out", cert],
            check=True, capture_output=True)
        return ["--cert", cert, "--key", key]

    def write_config(self):
        self.write("onsale.yaml", json.dumps(self.config, indent=2) + "\n")  # JSON is YAML, too

    # --- The daemon

    @property
    def environment(self):
        return {**os.environ, "ONSALE_CONFIG": self.path("onsale.yaml"), "ONSALE_PLUGINS": BUILD,
                "ONSALE_TEMPLATES": os.path.join(SOURCE, "templates"), "CACHE_DIRECTORY": self.folder}

    def run(self):
        """Makes the world, whose first event opens soon, and starts the daemon."""
        self.opens_at_ms = now_ms() + round(self.opens_in * 1000)
        world = wix_world.make(self.definitions, self.events, self.opens_at_ms)
        first = world[0]["eventId"]
        for item in world:
            if item["eventId"] == first:
                item["eventId"] = EVENT
        self.members = [item["id"] for item in world if item["eventId"] == EVENT]
        self.wix.control({"do": "set", "definitions": world})
        self.start()

    def start(self):
        self.write_config()
        with open(self.path("onsale.log"), "a", encoding="utf-8") as log:
            self.daemon = spawn([*self.daemon_under, os.path.join(BUILD, "onsale"), "run"], stderr=log, stdout=log,
                                env={**self.environment, **self.daemon_environment})
        self.until(lambda: "event=started" in self.log_since(self.daemon_log_start), "the daemon to start", self.start_patience)

    def reload(self):
        self.write_config()
        start = os.path.getsize(self.path("onsale.log"))
        self.daemon.send_signal(signal.SIGHUP)
        self.until(lambda: "event=reloaded" in self.log_since(start), "the daemon to reload")

    def stop(self, number=signal.SIGTERM, timeout=15):
        code = end(self.daemon, number, timeout)
        self.daemon_log_start = os.path.getsize(self.path("onsale.log"))
        return code

    daemon_log_start = 0
    daemon_environment = {}
    daemon_under = []  # a program that runs it, with its options
    start_patience = 20  # seconds

    def log_since(self, start=0):
        with open(self.path("onsale.log"), encoding="utf-8", errors="replace") as file:
            file.seek(start)
            return file.read()

    def try_onsale(self, *words, text_in=None):
        return subprocess.run([os.path.join(BUILD, "onsale"), *map(str, words)], env=self.environment, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=text_in)

    def onsale(self, *words):
        done = self.try_onsale(*words)
        check(done.returncode == 0, "onsale %s: exit %d: %s", " ".join(map(str, words)), done.returncode,
              (done.stderr + done.stdout)[-2000:])
        return done.stdout

    def ask(self, *words):
        return json.loads(self.onsale(*words, "--json"))

    def api(self, path, body):
        """POSTs to the daemon's own socket."""
        connection = http.client.HTTPConnection("onsale", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path("onsale.sock"))
        try:
            connection.request("POST", "/api/v1/" + path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        check(answer.status == 200, "%s: %d %s", path, answer.status, data[:300])
        return json.loads(data)

    # --- Waiting

    def until(self, answer, what, timeout=40):
        """The first true answer."""
        give_up_at = time.monotonic() + timeout
        while True:
            found = answer()
            if found:
                return found
            check(self.daemon.poll() is None, "waited for %s, but the daemon ended", what)
            check(time.monotonic() < give_up_at, "waited %d s for %s", timeout, what)
            time.sleep(0.05)

    def sleep(self, seconds):
        time.sleep(seconds)
        self.alive()

    def sleep_until(self, from_opening_s):
        left = self.opens_at_ms / 1000 + from_opening_s - time.time()
        if left < -0.5:
            raise TooSlow("the machine is too slow: %.1f s late for T%+g s" % (-left, from_opening_s))
        time.sleep(max(left, 0))

    def all_notices(self):
        """As `onsale notices --json` tells them. Stories ask often while they wait: where the daemon answers itself on its
        first page, no program is started."""
        connection = http.client.HTTPConnection("onsale", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(self.path("onsale.sock"))
            connection.request("GET", "/api/v1/notices?limit=500")
            answer = connection.getresponse()
            if answer.status == 200 and not answer.getheader("Link"):
                return sorted(json.loads(answer.read()), key=lambda notice: (notice["due_at"], notice["id"]))
        except (OSError, http.client.HTTPException):
            pass  # no daemon, or not yet
        finally:
            connection.close()
        return self.ask("notices")

    def notices(self, rule="on-sale", event=EVENT, at_ms=None):
        at = moment(at_ms or self.opens_at_ms)
        return [n for n in self.all_notices() if n["rule"] == rule and n["event_id"] == event and n["opens_at"] == at]

    def notice(self, **which):
        found = self.notices(**which)
        return found[-1] if found else None

    def show(self, **which):
        return self.ask("show", self.notice(**which)["id"])

    def wait(self, state, reason=None, timeout=40, **which):
        """Until the opening's notice has that state; what `show` says of it then."""
        def there():
            notice = self.notice(**which)
            if state == "ready" and not which and now_ms() > self.opens_at_ms - 1000:
                raise TooSlow("the machine is too slow: not seen ready in time")
            return notice and notice["state"] == state and (reason is None or notice["reason"] == reason)
        try:
            self.until(there, "notice to be %s%s" % (state, " (%s)" % reason if reason else ""), timeout)
        except TooSlow:
            raise
        except Failed as failed:
            notice = self.notice(**which)
            raise Failed("%s; it is %s" % (failed, notice and (notice["state"], notice["reason"], notice["counts"]))) from None
        return self.show(**which)

    # --- The truth, and whether everybody agrees with it

    def eligible(self):
        """Who may be told, by the fake's own judgement, which shares no code with ours."""
        return {address for address, consent in self.listmonk.get("/_people?list=7&interest=events").items() if consent == 0}

    def mails(self, result="taken"):
        with open(self.sink_log, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.endswith("\n")]
        return [line for line in lines if result in (None, line["result"])]

    def people(self, **which):
        return {person["address"]: person for person in self.ask("people", self.notice(**which)["id"])}

    def agree(self, told, doubt=(), **which):
        """Exactly `told` got exactly one mail, none early; the people listed, the report and the sink say the same. Those in
        `doubt` may have got theirs."""
        told, doubt, notice = set(told), set(doubt), self.show(**which)
        self.alive()
        mails = self.mails()
        got = [mail["to"] for mail in mails]
        check(len(got) == len(set(got)), "told twice: %s", sorted({a for a in got if got.count(a) > 1})[:5])
        check(len({mail["message_id"] for mail in mails}) == len(mails), "messages share an id")
        due_at_ms = moment_ms(notice["due_at"])
        if mails:
            first = min(mail["time"] for mail in mails) - moment_ms(notice["first_handover_at"])
            check(-1000 <= first <= 5000, "the first mail came %d ms after what the report calls the first hand-over", first)
        early = [due_at_ms - mail["time"] for mail in mails if mail["time"] < due_at_ms]
        check(not early, "%d mails were early, by up to %s ms", len(early), max(early, default=0))
        check(told - set(got) == set(), "%d were not told: %s", len(told - set(got)), sorted(told - set(got))[:5])
        check(set(got) - told - doubt == set(), "%d should not have been told: %s", len(set(got) - told - doubt),
              sorted(set(got) - told - doubt)[:5])
        people = self.people(**which)
        by_state = {}
        for address, person in people.items():
            by_state.setdefault(person["state"].replace(" ", "_"), set()).add(address)
        accepted = by_state.get("accepted", set())
        check(accepted == told, "listed as accepted, not told: %s; told, but not listed so: %s",
              sorted(accepted - told)[:5], [people.get(address, address) for address in sorted(told - accepted)[:5]])
        check(by_state.get("in_doubt", set()) == doubt, "%s are in doubt, expected %s",
              sorted(by_state.get("in_doubt", set()))[:5], sorted(doubt)[:5])
        self.agree_counts(notice, {state: len(some) for state, some in by_state.items()})
        self.audit()
        return notice

    def agree_counts(self, notice, counted):
        counts = notice["counts"]
        for state in ("waiting", "accepted", "refused", "in_doubt", "withheld"):
            check(counts[state] == counted.get(state, 0), "show counts %d %s, people lists %d", counts[state], state,
                  counted.get(state, 0))
        explained = sum(reason["count"] for reason in notice["reasons"])
        check(explained == counts["planned"] - counts["accepted"], "%d were not accepted, the reasons explain %d",
              counts["planned"] - counts["accepted"], explained)
        check(counts["planned"] == sum(counted.values()), "%d planned, %d listed", counts["planned"], sum(counted.values()))

    def audit(self):
        done = self.try_onsale("audit", "--json")
        check(done.returncode == 0, "audit: exit %d: %s", done.returncode, (done.stderr + done.stdout)[-2000:])
        problems = json.loads(done.stdout)["problems"]
        check(not problems, "audit: %s", problems[:5])

    def alive(self):
        check(self.daemon.poll() is None, "the daemon is gone")

    def nobody_told(self):
        self.alive()
        check(not self.mails(None), "%d mails reached the sink", len(self.mails(None)))
        self.audit()


# --- Telling stories

def _tell(story, again=True):
    started = time.monotonic()
    try:
        story()
        return None, time.monotonic() - started
    except TooSlow as slow:
        if again:
            with _alone:
                return _tell(story, again=False)
        return "%s\n%s" % (slow, getattr(slow, "launch", "")), time.monotonic() - started
    except Exception as error:  # the reader gets all of it
        text = str(error) if isinstance(error, Failed) else traceback.format_exc()
        return "%s\n%s" % (text, getattr(error, "launch", "")), time.monotonic() - started


def _name(story):
    return story.__name__


def tell(stories, at_a_time=AT_A_TIME):
    """Runs stories as TAP: those named on the command line, or all. Does not return."""
    signal.signal(signal.SIGTERM, _end_now)
    names = sys.argv[1:]
    unknown = set(names) - set(map(_name, stories))
    if unknown:
        sys.exit("no story %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(map(_name, stories))))
    chosen = [story for story in stories if not names or story.__name__ in names]
    print("1..%d" % len(chosen), flush=True)
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        running = {pool.submit(_tell, story): story for story in chosen}
        for number, future in enumerate(concurrent.futures.as_completed(running), 1):
            failure, seconds = future.result()
            failures += failure is not None
            print("%sok %d - %s # %.1f s" % ("not " if failure else "", number, running[future].__name__, seconds))
            for line in (failure or "").splitlines():
                print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if failures else 0)
