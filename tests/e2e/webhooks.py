#!/usr/bin/env python3
"""Other programs are told what happens: every event of a launch, once, signed so that who knows the secret can tell, whatever
becomes of the daemon or of them. What they do wrong stays theirs; and nobody is sent where no webhook belongs."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time

from launch import SOURCE, Launch, check, free_port, now_ms, tell

KEY, OLD_KEY = bytes(range(32)), bytes(range(32, 64))
SECRET, OLD_SECRET = ("whsec_" + base64.b64encode(key).decode() for key in (KEY, OLD_KEY))
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Receiver:
    """Remembers what came to each path, and answers as told: a status, or a word."""

    def __init__(self, tls=None):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self, body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.got, self.answers, self.lock = [], {}, threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who hangs up has said why
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, request, body):
        with self.lock:
            self.got.append({"path": request.path, "at_ms": now_ms(), "raw": body, "body": json.loads(body),
                             "headers": {name: request.headers[name] for name in HEADERS}})
            answer = self.answers.get(request.path, 200)
        if answer == "hang":
            time.sleep(30)
            return
        request.send_response(answer if isinstance(answer, int) else 302 if answer == "moved" else 200)
        if answer == "moved":
            request.send_header("Location", "/target")
        if answer == "endless":
            request.send_header("Connection", "close")
            request.end_headers()
            try:
                while True:
                    request.wfile.write(b"x" * 65536)
            except OSError:
                request.close_connection = True
                return
        request.send_header("Content-Length", "0")
        request.end_headers()

    def url(self, path, scheme="http", host="127.0.0.1"):
        return "%s://%s:%d%s" % (scheme, host, self.port, path)

    def at(self, path):
        with self.lock:
            return [one for one in self.got if one["path"] == path]

    def types(self, path):
        return [one["body"]["type"] for one in self.at(path)]

    def ids(self, path):
        return [one["headers"]["webhook-id"] for one in self.at(path)]


def endpoint(name, url, **more):
    return {"name": name, "url": url, "secret": SECRET, "allow_private": True, "timeout": "1s", **more}


def signed(one, key):
    """By the standard's words alone: v1, and HMAC-SHA256 over ID.TIMESTAMP.BODY."""
    headers = one["headers"]
    text = ("%s.%s." % (headers["webhook-id"], headers["webhook-timestamp"])).encode() + one["raw"]
    wanted = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return wanted in headers["webhook-signature"].split(" ")


def well_made(one, keys=(KEY,)):
    check(all(signed(one, key) for key in keys), "not signed: %s", one["headers"])
    check(len(one["headers"]["webhook-signature"].split(" ")) == len(keys), "signatures: %s", one["headers"])
    check(abs(int(one["headers"]["webhook-timestamp"]) * 1000 - one["at_ms"]) < 5000, "an old timestamp: %s", one["headers"])
    check(len(one["raw"]) < 20000 and b"@" not in one["raw"], "body: %s", one["raw"][:2000])
    check(set(one["body"]) == {"type", "timestamp", "data"}, "body: %s", one["body"])


def promised():
    """By README: the names of the types with what their data says."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        section = file.read().split("## Webhooks that go out")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \|.*\| (.*) \|$", section, re.M))
    return {name: set(re.findall(r"`([a-z_]+)`", fields.replace(" ", "` `"))) for name, fields in rows.items()}


def states(launch):
    return {row["name"]: row for row in launch.ask("webhooks")}


def every_event_once():
    """Two secrets sign while one takes the place of the other; a kill in the middle of the launch loses nothing."""
    with Receiver() as receiver, Launch(people=400) as launch:
        launch.config["webhooks"] = [endpoint("crm", receiver.url("/crm"), old_secret=OLD_SECRET)]
        launch.mail["rate"] = "20/s"
        launch.rule["finish_within"] = "1s"
        receiver.answers["/crm"] = "hang"
        launch.run()
        launch.until(lambda: launch.notice() and launch.notice()["state"] == "sending", "it to start")
        launch.until(lambda: receiver.at("/crm"), "the first event")
        launch.stop(signal.SIGKILL)
        receiver.answers["/crm"] = 200
        launch.start()
        notice = launch.wait("done", timeout=60)
        launch.until(lambda: "notice.done" in receiver.types("/crm"), "the last event")
        launch.until(lambda: states(launch)["crm"]["waiting"] == 0, "nothing to wait")
        got = receiver.at("/crm")
        for one in got:
            well_made(one, (KEY, OLD_KEY))
        mine = {}
        for one in got:
            if one["body"]["data"].get("notice_id") == notice["id"]:
                mine.setdefault(one["headers"]["webhook-id"], []).append(one)
        check(all(len({one["raw"] for one in some}) == 1 for some in mine.values()), "one id, two bodies")
        types = [some[0]["body"]["type"] for some in mine.values()]
        check(sorted(types) == ["launch.will_not_fit", "notice.done", "notice.started"], "told: %s", types)
        check(types.index("notice.started") < types.index("notice.done"), "told: %s", types)
        for one in got:
            said = one["body"]
            check(set(said["data"]) == promised()[said["type"]], "README says otherwise of %s: %s", said["type"], said["data"])
        data = [one for one in got if one["body"]["type"] == "notice.done"][-1]["body"]["data"]
        check(data["counts"] == notice["counts"] and data["due_at"] == notice["due_at"], "%s, not %s", data, notice["counts"])
        check(SECRET not in launch.log_since() and "/crm" not in launch.log_since(), "a secret is in the log")


def each_for_itself():
    """Who hangs, fails, sends elsewhere or talks without end delays nobody and is told nothing twice in vain."""
    with Receiver() as receiver, Launch(opens_in=5, people=60) as launch:
        words = {"slow": "hang", "gone": 410, "broken": 500, "moved": "moved", "endless": "endless"}
        for name, word in words.items():
            receiver.answers["/" + name] = word
        launch.config["operators"] = ["ops@arena.example"]
        launch.config["webhooks"] = [endpoint(name, receiver.url("/" + name)) for name in [*words, "crm"]]
        launch.config["webhooks"].append(endpoint("one", receiver.url("/one"), events=["notice.done"]))
        launch.run()
        launch.wait("done")
        for name in "crm", "endless":
            launch.until(lambda: "notice.done" in receiver.types("/" + name), "%s to hear of the end" % name, 10)
            launch.until(lambda: states(launch)[name]["waiting"] == 0, "%s to have all" % name)
            check(receiver.types("/" + name) == ["notice.started", "notice.done"], "%s: %s", name, receiver.types("/" + name))
        launch.until(lambda: receiver.types("/one") == ["notice.done"], "the one to hear of the end alone")
        launch.until(lambda: "event=webhook_disabled" in launch.log_since(), "410 to count")
        for name in "slow", "broken", "moved":
            launch.until(lambda: states(launch)[name]["state"] == "failing", "%s to have failed" % name)
        said = states(launch)
        check(said["gone"]["state"] == "disabled" and len(receiver.at("/gone")) == 1, "gone: %s", said["gone"])
        check("410" in said["gone"]["disabled_why"], "gone: %s", said["gone"])
        launch.until(lambda: any(mail["to"] == "ops@arena.example" for mail in launch.mails()), "operators to be told")
        for name in "slow", "broken", "moved":
            check(set(receiver.types("/" + name)) == {"notice.started"}, "%s: %s, %s", name, said[name],
                  receiver.types("/" + name))
            check(len(set(receiver.ids("/" + name))) == 1, "%s: several ids for one event", name)
        check(said["moved"]["status"] == 302 and not receiver.at("/target"), "a redirect was followed")
        shown = launch.onsale("webhooks")
        check("onsale webhooks enable gone" in shown and "/gone" not in shown and SECRET not in shown, "%s", shown)
        receiver.answers.clear()
        check("webhook gone is enabled" in launch.onsale("webhooks", "enable", "gone"), "nothing is said of it")
        launch.until(lambda: states(launch)["gone"]["waiting"] == 0, "what waited")
        check(receiver.types("/gone") == ["notice.started", "notice.started", "notice.done"], "%s", receiver.types("/gone"))


def read_again_meanwhile():
    """A reload while both endpoints and a ping wait for an answer: one has moved and is told there, one has left."""
    with Receiver() as receiver, Launch(opens_in=3, people=30) as launch:
        receiver.answers.update({"/crm": "hang", "/chat": "hang"})
        crm = endpoint("crm", receiver.url("/crm"), timeout="20s", events=["notice.started"])
        chat = endpoint("chat", receiver.url("/chat"), timeout="20s")
        launch.config["webhooks"] = [crm, chat]
        launch.run()
        launch.until(lambda: receiver.at("/crm") and receiver.at("/chat"), "both to hang")
        ping = []
        asking = threading.Thread(target=lambda: ping.append(launch.try_onsale("webhooks", "test", "chat")))
        asking.start()
        launch.until(lambda: "ping" in receiver.types("/chat"), "the ping to hang")
        launch.config["webhooks"] = [{**crm, "url": receiver.url("/moved-on")}]
        launch.reload()
        asking.join()
        check(ping[0].returncode == 1 and "ask once more" in ping[0].stderr, "%s", ping[0].stderr)
        launch.until(lambda: receiver.at("/moved-on"), "the event at its new place")
        check(receiver.ids("/moved-on") == receiver.ids("/crm"), "%s, not %s", receiver.ids("/moved-on"), receiver.ids("/crm"))
        check(set(states(launch)) == {"crm"}, "%s", states(launch))
        check("their endpoints left the configuration" in launch.log_since(), "nothing is said of what is dropped")
        launch.wait("done")
        receiver.answers.clear()
        launch.config["webhooks"].append(chat)
        launch.reload()
        check("chat answered 200" in launch.onsale("webhooks", "test", "chat"), "the ping")
        check(states(launch)["chat"]["waiting"] == 0, "what was dropped came back: %s", states(launch))


def as_readme_says():
    """The receiver of README, with the port and the paths of this house."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        [program] = re.findall(r"webhooks.py -->\n```python\n(.*?)```", file.read(), re.S)
    with Launch(opens_in=600, people=3) as launch:
        port = free_port()
        launch.write("shop.secret", SECRET + "\n")
        launch.write("other.secret", OLD_SECRET + "\n")
        program = program.replace("/etc/onsale", launch.folder).replace("8471", str(port))
        url = "http://127.0.0.1:%d" % port
        launch.config["webhooks"] = [{"name": name, "url": url, "secret_file": name + ".secret", "allow_private": True}
                                     for name in ("shop", "other")]
        launch.run()
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as receiver:
            launch.until(lambda: "shop answered 204" in launch.try_onsale("webhooks", "test", "shop").stdout, "the receiver")
            check("other answered 400" in launch.try_onsale("webhooks", "test", "other").stderr, "what is not signed well is taken")
            receiver.terminate()
            said = receiver.stdout.read().splitlines()
        check(json.loads(said[0])["data"] == {"webhook": "shop"} and said[-1] == "not from onsale", "%s", said)


def nowhere_else():
    """This machine and its networks are no place for a webhook, by whatever name; a certificate has to be good."""
    with open(os.path.join(SOURCE, "scheduler", "webhook.c"), encoding="utf-8") as file:
        names = set(re.findall(r'\[WEBHOOK_\w+\] = "([a-z_.]+)"', file.read()))
    check(names == set(promised()), "README lists %s, the program has %s", sorted(promised()), sorted(names))
    with Launch(opens_in=600, people=30) as launch:
        _, cert, _, key = launch.make_certificate("hooks.example")
        with Receiver() as receiver, Receiver(tls=(cert, key)) as safe:
            launch.preload("names", NAMES=launch.path("names"), NAMES_LOG=launch.path("names.log"))
            launch.write("names", "hooks.example here\n")
            places = {"named": safe.url("/named", "https", "hooks.example"), "number": safe.url("/number", "https", "2130706433")}
            plain = {"local": safe.url("/local", "https", "localhost"), "mapped": safe.url("/mapped", "https", "[::ffff:127.0.0.1]"),
                     "metadata": "https://169.254.169.254/latest/meta-data"}
            launch.config["webhooks"] = [endpoint(name, url, allow_private=False) for name, url in places.items()]
            launch.config["webhooks"].append(endpoint("unsigned", safe.url("/unsigned", "https")))
            launch.config["webhooks"].append(endpoint("crm", receiver.url("/crm")))
            launch.run()
            for name in places:
                done = launch.try_onsale("webhooks", "test", name)
                check(done.returncode == 1 and "no address of the public internet" in done.stderr, "%s: %s", name, done.stderr)
            done = launch.try_onsale("webhooks", "test", "unsigned")
            check(done.returncode == 1 and "certificate" in done.stderr, "%s", done.stderr)
            check(not safe.got, "told: %s", safe.got)
            check("crm answered 200" in launch.onsale("webhooks", "test", "crm"), "the ping")
            [ping] = receiver.at("/crm")
            well_made(ping)
            check(ping["body"]["type"] == "ping" and ping["body"]["data"] == {"webhook": "crm"}, "%s", ping["body"])
            done = launch.try_onsale("webhooks", "test", "named", "--json")
            check(done.returncode == 1 and json.loads(done.stdout)["error"], "%d: %s", done.returncode, done.stdout)
            receiver.answers["/crm"] = 500
            done = launch.try_onsale("webhooks", "test", "crm")
            check(done.returncode == 1 and "crm answered 500" in done.stderr, "%s", done.stderr)
            for words in (["test"], ["test", "moon"], ["enable", "moon"], ["moon", "crm"]):
                done = launch.try_onsale("webhooks", *words)
                check(done.returncode in (1, 2) and done.stderr, "%s: %d", words, done.returncode)
                check(words[-1] != "moon" or ("number" in done.stderr and "crm" in done.stderr), "not which: %s", done.stderr)
            before = len(receiver.got)
            online = {line.split()[1]: line for line in launch.try_onsale("check", "--online").stdout.splitlines()
                      if line.startswith("  webhook")}
            check("ok: http://127.0.0.1:%d/... can be reached" % receiver.port in online["crm"], "%s", online)
            check("certificate" in online["unsigned"] and "public internet" in online["number"], "%s", online)
            check(len(receiver.got) == before and not safe.got, "checking sent something")
            launch.stop()
            check(set(states(launch)) == {*places, "unsigned", "crm"}, "without a daemon: %s", states(launch))
            # what can be seen without asking anybody is said with the configuration
            launch.config["webhooks"] = [endpoint(name, url, allow_private=False) for name, url in plain.items()]
            launch.write_config()
            done = launch.try_onsale("check")
            check(done.returncode == 3 and done.stderr.count("no address of the public internet") == 3, "check: %s", done.stderr)


if __name__ == "__main__":
    tell([every_event_once, each_for_itself, read_again_meanwhile, as_readme_says, nowhere_else])
