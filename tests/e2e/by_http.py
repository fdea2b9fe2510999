#!/usr/bin/env python3
"""A notifier that speaks HTTP through the host (tests/fakes/by_http.c) and a receiver that answers each person in another way:
its log against what the commands say of them."""
import http.server
import os
import socket
import struct
import threading
import time

from launch import BUILD, Launch, check, tell

# Who gets which answer, and what must come of it: state, and how often it may have been taken.
PEOPLE = {
    "plain": ("accepted", 1), "empty": ("accepted", 1), "chunked": ("accepted", 1), "slow": ("accepted", 1),
    "bytes": ("accepted", 1), "later": ("accepted", 1), "busy": ("accepted", 1), "date": ("accepted", 1),
    "refused": ("refused", 0), "moved": ("refused", 0), "never": ("withheld", 0),
    "reset": ("in doubt", 1), "hangs": ("in doubt", 1), "half": ("in doubt", 1), "garbage": ("in doubt", 1),
    "huge": ("in doubt", 1),
}
ATTEMPTS = 3


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        to = self.headers["X-To"]
        who = to.partition("@")[0].rstrip("0123456789")
        self.server.tries.append((to, time.time(), raw))
        times = sum(1 for other, _, _ in self.server.tries if other == to)
        refusals = {"refused": (410, {}), "moved": (302, {"Location": "http://127.0.0.1:9/"}), "never": (500, {})}
        passing = {"later": (503, {}), "busy": (429, {"Retry_After": "1"}),
                   "date": (429, {"Retry_After": self.date_time_string(time.time() + 2)})}
        if who in refusals:
            return self.say(refusals[who][0], b"no, " + to.encode(), **refusals[who][1])
        if who in passing and times == 1:
            return self.say(passing[who][0], b"not now", **passing[who][1])
        self.server.taken.append(to)
        return getattr(self, "to_" + who, self.to_plain)()

    def to_plain(self):
        self.say(200, b"yes")

    def to_empty(self):
        self.send_response(204)
        self.end_headers()

    def to_chunked(self):
        self.send_response(202)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nyes\r\n0\r\n\r\n")

    def to_slow(self):
        time.sleep(0.5)
        self.say(200, b"yes")

    def to_bytes(self):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes":
            self.wfile.write(bytes([byte]))

    def to_reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def to_close(self):
        self.close_connection = True

    def to_hangs(self):
        time.sleep(3)
        self.close_connection = True

    def to_half(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nyes")
        self.close_connection = True

    def to_garbage(self):
        self.wfile.write(b"\0\1\2 what?\r\n\r\n")
        self.close_connection = True

    def to_huge(self):
        self.say(200, b"y" * 100000)

    def finish(self):
        try:
            super().finish()
        except OSError:  # reset by ourselves
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # who has had enough hangs up


class Http(Launch):
    def __init__(self, people):
        super().__init__(opens_in=6, people=1, definitions=1, events=1)
        self.server = Server(("127.0.0.1", 0), Receiver)
        self.server.tries, self.server.taken = [], []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.write("fans.csv", "email,status\n" + "".join("%s@example.org,subscribed\n" % who for who in people))
        self.config["audiences"] = [{"name": "fans", "source": "file", "path": "fans.csv"}]
        self.config["notifiers"] = [{"name": "mail", "plugin": "by_http", "from": "Arena <tickets@arena.example>",
                                     "url": "http://127.0.0.1:%d/in" % self.server.server_port}]
        self.rule["retry"] = {"attempts": ATTEMPTS, "first": "100ms", "cap": "300ms"}

    @property
    def environment(self):
        return {**super().environment, "ONSALE_PLUGINS": os.path.join(BUILD, "tests")}

    def clear(self, failed):
        self.server.shutdown()
        super().clear(failed)


def each_in_another_way():
    with Http(PEOPLE) as launch:
        launch.run()
        shown = launch.wait("done")
        people = launch.people()
        tries = launch.server.tries
        for who, (state, taken) in PEOPLE.items():
            address = who + "@example.org"
            mine = [at for to, at, _ in tries if to == address]
            check(people[address]["state"] == state, "%s: %s", who, people[address])
            check(launch.server.taken.count(address) == taken, "%s: taken %d times", who, launch.server.taken.count(address))
            check(min(mine) * 1000 >= launch.opens_at_ms, "%s: early", who)
            check(len(mine) == {"never": ATTEMPTS, "later": 2, "busy": 2, "date": 2}.get(who, 1), "%s: tried %d times", who,
                  len(mine))
        waits = {who: [at for to, at, _ in tries if to == who + "@example.org"] for who in ("busy", "date")}
        check(all(again - first >= 0.9 for first, again in waits.values()), "not as patient as was asked for: %s", waits)
        check(all(b"Subject:" in raw and raw.endswith(b"\r\n") for _, _, raw in tries), "not the whole message came")
        check("@" not in "".join(reason["text"] or "" for reason in shown["reasons"]), "addresses in %s", shown["reasons"])
        launch.audit()


def nobody_there():
    """Refused connections are nobody's doubt."""
    with Http(["ann", "bob"]) as launch:
        launch.server.server_close()
        launch.run()
        launch.sleep_until(2.5)
        shown = launch.show()
        check((shown["state"], shown["counts"]["waiting"]) == ("sending", 2), "%s %s", shown["state"], shown["counts"])


def on_an_old_connection():
    """libcurl sends again by itself when a connection that it kept ends without an answer. Not here: it may have been taken."""
    people = ["plain%d" % n for n in range(8)] + ["reset%d" % n for n in range(2)]
    people += ["plain%d" % n for n in range(8, 16)] + ["close%d" % n for n in range(4)]
    with Http(people) as launch:
        launch.run()
        launch.wait("done")
        check(len(launch.server.tries) == len(people), "%d posts for %d people", len(launch.server.tries), len(people))
        states = {address[:5]: person["state"] for address, person in launch.people().items()}
        check(states == {"plain": "accepted", "reset": "in doubt", "close": "in doubt"}, "%s", states)
        launch.audit()


def stopped_in_mid_transfer():
    """What is under way when the daemon ends is in doubt, and nobody else."""
    with Http(["hangs", "ann"]) as launch:
        launch.config["stop_grace"] = "1s"
        launch.config["notifiers"][0]["timeout"] = "30s"
        launch.run()
        launch.until(lambda: len(launch.server.taken) == 2, "both to be taken")
        launch.sleep(0.3)
        check(launch.stop() == 0, "it did not stop in order")
        launch.start()
        launch.wait("done")
        states = {address: person["state"] for address, person in launch.people().items()}
        check(states == {"hangs@example.org": "in doubt", "ann@example.org": "accepted"}, "%s", states)
        check(len(launch.server.taken) == 2, "somebody got two")
        launch.audit()


if __name__ == "__main__":
    tell([each_in_another_way, on_an_old_connection, nobody_there, stopped_in_mid_transfer])
