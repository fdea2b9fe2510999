#!/usr/bin/env python3
"""Who watches: a whole launch as events, seen by clients that come and go, do not read, or are many."""
import http.client
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import threading
import time

from launch import BUILD, Launch, check, free_port, moment_ms, tell


class Watch:
    """A client of server-sent events that knows nothing of ours but the format: WHATWG HTML, section 9.2."""

    def __init__(self, launch, query="", last_id=None, reads=True, port=None, token=None):
        self.line = socket.socket(socket.AF_INET if port else socket.AF_UNIX)
        self.line.settimeout(60)
        self.line.connect(("127.0.0.1", port) if port else launch.path("onsale.sock"))
        given = "Last-Event-ID: %s\r\n" % last_id if last_id is not None else ""
        given += "Authorization: Bearer %s\r\n" % token if token else ""
        self.line.sendall(("GET /api/v1/events%s HTTP/1.1\r\nHost: onsale\r\nAccept: text/event-stream\r\n%s\r\n"
                           % (query, given)).encode())
        self.events, self.comments, self.raw, self.id, self.retry, self.over = [], [], b"", None, None, False
        if reads:
            self.answer = http.client.HTTPResponse(self.line)
            self.answer.begin()
            self.status = self.answer.status
            self.thread = threading.Thread(target=self.read, daemon=True)
            if self.status == 200:
                self.thread.start()

    def read(self):
        kind, data = "message", []
        try:
            for line in self.answer:
                self.raw += line
                line = line.decode().rstrip("\n")
                field, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if not line:
                    if data:
                        self.events.append((self.id, kind, json.loads("\n".join(data)), time.time() * 1000))
                    kind, data = "message", []
                elif not field:
                    self.comments.append(value)
                elif field == "id":
                    self.id = value
                elif field == "event":
                    kind = value
                elif field == "data":
                    data.append(value)
                elif field == "retry":
                    self.retry = int(value)
                else:
                    raise ValueError("a field that is none: %r" % line)
        except (OSError, http.client.HTTPException):
            pass
        self.over = True

    def of(self, kind, **what):
        return [data for _, event, data, _ in list(self.events)
                if event == kind and all(data.get(key) == value for key, value in what.items())]

    def ids(self):
        return [event[0] for event in list(self.events)]

    def hang_up(self):
        try:
            self.line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.line.close()


def numbers(ids):
    return [int(name.partition("-")[2]) for name in ids]


def generation(launch):
    """Also of one that is not well: a site that was not walked yet makes `status` fail."""
    return json.loads(launch.try_onsale("status", "--json").stdout)["generation"]


def from_the_beginning(launch, query=""):
    """As one who saw the very first event of this start."""
    return Watch(launch, query, last_id="%d-0" % generation(launch))


def steer(launch, line, path, **body):
    """On a connection of its own, quicker than a command."""
    text = json.dumps(body)
    line.request("POST", "/api/v1/" + path, text, {"Content-Type": "application/json"})
    answer = line.getresponse()
    said = answer.read()
    check(answer.status == 200, "%s: %d %s", path, answer.status, said)


class Line(http.client.HTTPConnection):
    def __init__(self, launch):
        super().__init__("onsale", timeout=20)
        self.place = launch.path("onsale.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.place)


def whole_launch():
    """From planned to done: ids rise by one, the counts end as `show` has them, and nobody's address is told."""
    with Launch(opens_in=9, people=600) as launch:
        launch.mail["rate"] = "50/s"
        launch.rule["gather_ahead"] = "7s"
        launch.run()
        watch = from_the_beginning(launch)
        shown = launch.wait("done")
        launch.until(lambda: watch.of("notice", id=shown["id"], state="done"), "the last event")
        check(watch.retry == 3000 and watch.raw.startswith(b"retry: 3000\n"), "it begins with %r", watch.raw[:40])
        check(numbers(watch.ids()) == list(range(1, len(watch.events) + 1)), "ids: %s", watch.ids())
        check({name.partition("-")[0] for name in watch.ids()} == {str(generation(launch))}, "generations: %s", watch.ids())
        notices = watch.of("notice", id=shown["id"])
        states = [(notice["before"], notice["state"]) for notice in notices]
        check(states == [(None, "planned"), ("planned", "gathering"), ("gathering", "ready"), ("ready", "sending"),
                         ("sending", "done")], "states: %s", states)
        last = notices[-1]
        for key in ("site", "event_id", "event_title", "rule", "state", "reason", "reason_text", "paused", "opens_at", "due_at",
                    "counts"):
            check(last[key] == shown[key], "%s: the event says %s, show says %s", key, last[key], shown[key])
        progress = watch.of("progress", id=shown["id"], state="sending")
        check(len(progress) >= 4, "only %d times was told how far it is", len(progress))
        counts = {**progress[-1]["counts"]}
        check(counts == shown["counts"], "the last progress says %s, show says %s", counts, shown["counts"])
        accepted = [step["counts"]["accepted"] for step in progress]
        check(accepted == sorted(set(accepted)), "accepted: %s", accepted)
        at = [moment_ms(step["at"]) for step in progress]
        check(all(b - a >= 450 for a, b in zip(at[:-1], at[1:-1])), "progress more than twice a second: %s", at)
        rates = [step["per_second"] for step in progress[2:-1]]
        check(all(30 <= rate <= 70 for rate in rates), "50 a second are paced, the events say %s", rates)
        check(len(watch.of("opening", what="new")) == 3, "openings: %s", watch.of("opening"))
        check(b"@" not in watch.raw, "an address: %r", watch.raw)
        for address in launch.eligible():
            check(address.encode() not in watch.raw, "%s is told of", address)
        launch.agree(launch.eligible())
        late = [heard - moment_ms(data["at"]) for _, kind, data, heard in watch.events if kind == "progress"][1:]
        check(sorted(late)[len(late) // 2] < 200, "heard late by (ms) %s", late)


def filters():
    with Launch(opens_in=30) as launch:
        launch.run()
        launch.wait("planned")
        line, id = Line(launch), launch.notice()["id"]
        others = [notice["id"] for notice in launch.ask("notices") if notice["id"] != id]
        some = Watch(launch, "?types=pause,stopping&notice=%d" % id)
        one = Watch(launch, "?types=notice,pause,resume&notice=%d" % id)
        every = Watch(launch)
        for target in [id, others[0]]:
            steer(launch, line, "pause", target="notice:%d" % target)
        steer(launch, line, "resume", target="notice:%d" % id)
        launch.until(lambda: every.of("resume") and one.of("resume") and some.events, "the resume at each of them")
        kinds = [kind for _, kind, _, _ in every.events if kind != "forecast"]  # which comes when it is made
        check(kinds == ["notice", "pause", "notice", "pause", "notice", "resume"], "%s", every.events)
        check([event[1:3] for event in some.events] == [("pause", some.of("pause")[0])], "%s", some.events)
        check([kind for _, kind, _, _ in one.events] == ["notice", "pause", "notice", "resume"], "%s", one.events)
        check([notice["paused"] for notice in one.of("notice")] == [True, False], "%s", one.events)
        check(one.of("pause")[0]["target"] == "notice:%d" % id and one.of("pause")[0]["who"], "%s", one.of("pause"))
        for query in ("types=notices", "types=,", "notice=0", "notice=x", "types=%ff", "notice=%00", "types=notice%0a"):
            check(Watch(launch, "?" + query).status == 400, "%s is taken", query)


def asked_rightly_and_wrongly():
    """Headers that keep proxies from keeping events to themselves; what is asked of a stream that is no stream."""
    with Launch(opens_in=30) as launch:
        launch.run()
        watch = Watch(launch)
        field = watch.answer.getheader
        check(field("Content-Type").startswith("text/event-stream"), "type %s", field("Content-Type"))
        check(field("X-Accel-Buffering") == "no", "nginx would buffer: %s", field("X-Accel-Buffering"))
        check(field("Cache-Control") in ("no-cache", "no-store"), "cached: %s", field("Cache-Control"))
        check(field("Content-Encoding") is None, "encoded")
        line = Line(launch)
        line.request("POST", "/api/v1/events", "{}", {"Content-Type": "application/json"})
        check(line.getresponse().status == 405, "POST is taken")
        line = Line(launch)
        line.request("HEAD", "/api/v1/events")
        check(line.getresponse().status == 200, "HEAD is refused")
        plain = socket.socket(socket.AF_UNIX)  # HTTP/1.0 has no chunks: bare lines until the end
        plain.settimeout(10)
        plain.connect(launch.path("onsale.sock"))
        plain.sendall(b"GET /api/v1/events HTTP/1.0\r\n\r\n")
        said = b""
        while b"\r\n\r\n" not in said or b"\n\n" not in said.partition(b"\r\n\r\n")[2]:
            part = plain.recv(4096)
            check(part, "it ends: %r", said)
            said += part
        check(said.partition(b"\r\n\r\n")[2].startswith(b"retry: 3000\nid: "), "bare: %r", said)


def comes_back():
    """A reconnect in the middle, by header or by query, loses nothing and repeats nothing."""
    with Launch(opens_in=9, people=600) as launch:
        launch.mail["rate"] = "50/s"
        launch.rule["gather_ahead"] = "7s"
        launch.run()
        steady = from_the_beginning(launch)
        fickle, heard, last = from_the_beginning(launch), [], ""
        turns = 0
        while not steady.of("notice", state="done"):
            time.sleep(0.3)
            fickle.hang_up()
            fickle.thread.join(5)
            heard += fickle.events
            last = fickle.id or last  # also one that came without an event, or before any
            time.sleep(0.2)
            turns += 1
            fickle = Watch(launch, last_id=last) if turns % 2 else Watch(launch, "?last_event_id=" + last)
            launch.alive()
        launch.wait("done")
        launch.until(lambda: fickle.id == steady.id, "the last event")
        heard += fickle.events
        check(turns > 5, "only %d turns", turns)
        check([event[:3] for event in heard] == [event[:3] for event in steady.events], "%s is not %s",
              [event[0] for event in heard], steady.ids())
        for id in ("", "x", "1", "%s-%d" % (generation(launch), 10**9), "0-1", "9" * 30 + "-1"):
            watch = Watch(launch, last_id=id)
            launch.until(lambda: watch.events, "an answer to " + id, 10)
            check(watch.events[0][1] == "reset" and watch.events[0][2]["reason"], "%s: %s", id, watch.events)
            check(watch.events[0][0] == steady.id, "the reset has id %s", watch.events[0][0])
        fresh = Watch(launch)
        launch.until(lambda: fresh.id == steady.id, "where a new client stands")
        time.sleep(0.5)
        check(fresh.events == [], "a new client gets history: %s", fresh.events)


def killed_and_started():
    """kill -9: ids of the last start mean nothing to this one, and that is said first."""
    with Launch(opens_in=14) as launch:
        launch.rule["gather_ahead"] = "3s"
        launch.run()
        launch.wait("planned")
        watch = from_the_beginning(launch)
        launch.until(lambda: watch.of("notice"), "an event")
        before = generation(launch)
        launch.stop(signal.SIGKILL)
        watch.thread.join(5)
        check(watch.over, "the stream did not end")
        launch.start()
        after = generation(launch)
        check(after == before + 1, "generation %d, then %d", before, after)
        back = Watch(launch, last_id=watch.id)
        launch.until(lambda: back.events, "the reset", 10)
        check(back.events[0][1] == "reset" and back.events[0][0].startswith("%d-" % after), "%s", back.events[0])
        launch.wait("done")
        launch.until(lambda: back.of("notice", state="done"), "the last event")
        ids = numbers(back.ids())
        check(ids[1:] == list(range(ids[0] + 1, ids[0] + len(ids))), "ids: %s", ids)


def reloads_and_stops():
    """A reload keeps streams; a stop ends them with a word."""
    with Launch(opens_in=30) as launch:
        launch.run()
        launch.wait("planned")
        watch = Watch(launch)
        launch.mail["connections"] = 2
        launch.reload()
        launch.until(lambda: watch.of("reload"), "the reload", 10)
        check(watch.of("reload")[0]["done"] is True, "%s", watch.of("reload"))
        good = launch.config["rules"]
        launch.config["rules"] = [{**good[0], "audiences": ["nobody"]}]
        launch.write_config()
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until(lambda: watch.of("reload", done=False), "the refusal", 10)
        check("nobody" in watch.of("reload", done=False)[0]["refused"], "%s", watch.of("reload"))
        launch.config["rules"] = good
        launch.write_config()
        check(not watch.over, "a reload ended the stream")
        check(launch.stop() == 0, "the daemon did not stop")
        watch.thread.join(5)
        check(watch.over and watch.of("stopping"), "it ended without a word: %s", watch.events[-3:])


def neighbours():
    """The site, the mail server and the marketing tool: gone, and back."""
    with Launch(opens_in=36) as launch:  # a walk that was refused comes again after up to 15 s
        launch.rule["gather_ahead"] = "3s"
        launch.run()
        launch.wait("planned")
        watch = from_the_beginning(launch)
        launch.wix.control({"do": "fault", "kind": "status", "status": 503, "count": -1})
        launch.until(lambda: watch.of("site", well=False), "the site's trouble")
        launch.wix.control({"do": "clear_faults"})
        launch.until(lambda: watch.of("site", well=True), "the site's return")
        check(watch.of("site")[0]["name"] == "arena" and watch.of("site")[0]["trouble"], "%s", watch.of("site"))
        launch.onsale("pause", "mail")
        launch.onsale("resume")
        launch.until(lambda: watch.of("resume"), "the resume")
        check(watch.of("pause")[0]["target"] == "notifier:mail" and watch.of("resume")[0]["target"] == "*", "%s", watch.events)
        check(watch.of("resume")[0]["who"] == watch.of("pause")[0]["who"], "%s", watch.of("resume"))
        launch.sink.stop()
        launch.sleep_until(-0.2)  # else there was nobody left to fail with
        launch.until(lambda: watch.of("notifier", well=False), "the notifier's trouble")
        launch.sink.start()
        launch.until(lambda: watch.of("notifier", well=True), "the notifier's return")
        launch.wait("done")


def sums():
    """What comes in crowds is told in sums, without anybody's address."""
    with Launch(opens_in=60) as launch:
        launch.run()
        launch.wait("planned")
        watch, line = Watch(launch, "?types=suppression,bounce"), Line(launch)
        for number in range(50):
            steer(launch, line, "suppress", address="s%d@fans.example" % number)
        steer(launch, line, "unsuppress", address="s0@fans.example")
        for number in range(7):
            steer(launch, line, "bounces", address="b%d@fans.example" % number, kind="complaint" if number == 6 else "hard")

        def summed(kind):
            words = {}
            for event in watch.of(kind):
                for word, count in event["counts"].items():
                    words[word] = words.get(word, 0) + count
            return words
        launch.until(lambda: sum(summed("suppression").values()) >= 57, "the sums", 10)
        launch.sleep(1.2)
        check(summed("suppression") == {"operator": 50, "bounce": 6, "complaint": 1}, "%s", watch.events)
        check(summed("bounce") == {}, "somebody of no notice came back: %s", watch.events)
        at = [moment_ms(event[2]["at"]) for event in watch.events if event[1] == "suppression"]
        check(all(b - a >= 950 for a, b in zip(at, at[1:])), "more than one a second: %s", at)
        check(b"@" not in watch.raw, "%r", watch.raw)


def does_not_read():
    """Somebody opens a stream and reads nothing: dropped, while others miss nothing and the launch keeps its pace."""
    with Launch(opens_in=12, people=600) as launch:
        launch.mail["rate"] = "50/s"
        launch.rule["gather_ahead"] = "4s"
        launch.run()
        launch.wait("planned")
        steady, deaf = from_the_beginning(launch), [Watch(launch, reads=False) for _ in range(5)]
        line = Line(launch)
        # Of a notice that has much time: one that is sending would ask its site anew after each pause.
        other = next(notice["id"] for notice in launch.ask("notices") if notice["id"] != launch.notice()["id"])

        def noise(least):
            start = len(steady.events)
            while len(steady.events) < start + least:
                for verb in ("pause", "resume"):
                    steer(launch, line, verb, target="notice:%d" % other)
        launch.wait("ready")
        noise(4000)
        shown = launch.wait("done")
        launch.agree(launch.eligible())
        span = moment_ms(shown["last_handover_at"]) - moment_ms(shown["first_handover_at"])
        people = shown["counts"]["accepted"]
        check(span < people * 20 * 2 + 2500, "%d people at 50/s took %d ms", people, span)
        noise(3000)
        check(numbers(steady.ids()) == list(range(1, len(steady.events) + 1)), "the one who reads missed something")
        check(not steady.of("reset"), "the one who reads was too slow: %s", steady.of("reset"))
        time.sleep(32)  # two heartbeats
        line.close()  # idle for long: the server has ended it
        noise(1)
        for watch in deaf:
            watch.answer = http.client.HTTPResponse(watch.line)
            watch.answer.begin()
            watch.read()  # to its end
            check(watch.over, "it was not dropped")
        back = Watch(launch, last_id=deaf[0].id)
        launch.until(lambda: back.events, "an answer", 10)
        check(back.events[0][1] == "reset", "7000 events later: %s", back.events[0])
        check(launch.stop() == 0, "the daemon did not stop")


def silent_watch(launch):
    """One that nobody listens to but the test, once."""
    watch = socket.socket(socket.AF_UNIX)
    watch.settimeout(20)
    watch.connect(launch.path("onsale.sock"))
    watch.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: onsale\r\n\r\n")
    head = watch.recv(4096)
    check(head.startswith(b"HTTP/1.1 200 "), "it may not watch: %s", head[:100])
    return watch


def a_thousand():
    """As many as may watch do; the others are told to come later, and a place that is left is given on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with Launch(opens_in=60) as launch:
        launch.run()
        launch.until(lambda: launch.notice() and launch.notice()["estimate"] is not None, "everybody to be counted")
        watches = [Watch(launch) for _ in range(14)]
        before = resident(launch)
        silent = [silent_watch(launch) for _ in range(1010)]
        check(all(watch.status == 200 for watch in watches), "they may not watch: %s", {watch.status for watch in watches})
        after = resident(launch)
        more = []
        for _ in range(100):
            more.append(Watch(launch))
            more[-1].hang_up()
        check({watch.status for watch in more} == {503}, "more may watch: %s", {watch.status for watch in more})
        check(more[0].answer.getheader("Retry-After"), "no Retry-After")
        check(after - before < 1010 * 40, "1010 watchers cost %d KiB", after - before)
        line = Line(launch)
        steer(launch, line, "pause", target="notifier:mail")
        launch.until(lambda: all(watch.of("pause") for watch in watches), "everybody to hear it", 10)
        for watch in watches[:10]:
            watch.hang_up()

        def place():
            steer(launch, line, "pause", target="notifier:mail")
            steer(launch, line, "resume", target="notifier:mail")
            watch = Watch(launch)
            return watch.status == 200 and watch
        launch.until(place, "a place", 20)
        check(launch.ask("notices"), "no answer beside a thousand streams")
        for watch in silent:
            check(b"event: pause" in watch.recv(65536), "somebody has not heard of it")
            watch.close()


def watched(launch, *words, **more):
    return subprocess.Popen([os.path.join(BUILD, "onsale"), "watch", *map(str, words)], env=launch.environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def said(process, timeout=30):
    out, _ = process.communicate(timeout=timeout)
    return process.returncode, out.splitlines()


def watch_command():
    """`onsale watch`: one notice to its end, everything until Ctrl-C, over a restart of the daemon; for people, for
    programs, and on a terminal."""
    with Launch(opens_in=11, people=600) as launch:
        launch.mail["rate"] = "50/s"
        launch.rule["gather_ahead"] = "3s"
        launch.run()
        id = launch.wait("planned")["id"]
        plain, programs, everything = watched(launch, id), watched(launch, id, "--json"), watched(launch)
        terminal, theirs = pty.openpty()
        live = subprocess.Popen([os.path.join(BUILD, "onsale"), "watch", str(id)], env={**launch.environment, "TZ": "UTC"},
                                stdout=theirs, stderr=theirs)
        os.close(theirs)
        time.sleep(1)
        launch.stop(signal.SIGKILL)
        time.sleep(1.5)
        launch.start()
        shown = launch.wait("done")
        launch.agree(launch.eligible())
        code, lines = said(plain)
        check(code == 0, "exit %d: %s", code, lines)
        states = [line.partition("arena")[0] for line in lines if " ahead: " not in line]
        check("planned" in lines[0] and "no daemon runs; waiting for it" in lines and "planned" in states[2], "%s", lines[:4])
        check(any(": gathering" in line for line in lines) and any(": ready" in line for line in lines), "%s", lines)
        people = shown["counts"]["planned"]
        check(": done; %d of %d accepted" % (people, people) in lines[-1], "the last line: %s", lines[-1])
        steps = [line for line in lines if "/s" in line and "accepted" in line]
        check(len(steps) >= 4 and "%d of %d accepted" % (people, people) in steps[-1], "%s", steps)
        code, lines = said(programs)
        events = [json.loads(line) for line in lines]
        check(code == 0 and events[0]["data"]["state"] == "planned" and events[-1]["data"]["state"] == "done", "%d %s", code,
              lines)
        check(events[-1]["data"]["counts"] == shown["counts"] and events[-1]["event"] == "notice", "%s", events[-1])
        out = b""
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            out += part
        check(live.wait(10) == 0, "exit %d on a terminal", live.returncode)
        check(out.count(b"\r\x1b[K") >= 1 and b"\x1b[K" in out and out.endswith(b"\n"), "%r", out)
        check(len([line for line in out.split(b"\n") if b"accepted, " in line]) <= 2, "progress is not written over: %r", out)
        everything.send_signal(signal.SIGINT)
        code, lines = said(everything)
        check(code == 0, "exit %d after Ctrl-C: %s", code, lines)
        check(any("notice %d" % id in line and "done" in line for line in lines), "%s", lines)
        ended = watched(launch, id)
        code, lines = said(ended)
        check(code == 0 and len(lines) == 1, "an ended one: %d %s", code, lines)
        other = next(notice["id"] for notice in launch.ask("notices") if notice["state"] == "planned")
        cancelled = watched(launch, other)
        time.sleep(0.5)
        launch.onsale("cancel", other)
        code, lines = said(cancelled)
        check(code == 1 and "cancelled" in lines[-1], "a cancelled one: %d %s", code, lines)
        code, lines = said(watched(launch, 999))
        check(code == 1 and "999" in lines[-1], "one that is none: %d %s", code, lines)
        launch.stop()
        code, lines = said(watched(launch))
        check(code == 1 and "no daemon runs at" in lines[-1], "without a daemon: %d %s", code, lines)


def resident(launch):
    with open("/proc/%d/status" % launch.daemon.pid, encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def heartbeat():
    with Launch(opens_in=90) as launch:
        launch.run()
        launch.wait("planned")
        watch = Watch(launch, "?types=stopping")
        launch.until(lambda: watch.id, "where it stands")
        first = watch.id
        launch.onsale("pause", "mail")
        launch.until(lambda: watch.comments and watch.id != first, "the heartbeat", 20)
        check(watch.events == [] and not watch.over, "%s", watch.events)
        check(numbers([watch.id])[0] > numbers([first])[0],
              "who waits for one type only would be told of everything again: %s", watch.id)


def over_the_network():
    """A token that may read is enough, and without one there is nothing to hear; nobody is dropped for listening long."""
    with Launch(opens_in=120) as launch:
        port, token = free_port(), "a-token-of-at-least-thirty-two-characters-1"
        launch.config["http"].update(listen=["unix:onsale.sock", "127.0.0.1:%d" % port],
                                     tokens=[{"name": "eyes", "token": token, "scope": "read"}])
        launch.run()
        launch.wait("planned")
        check(Watch(launch, port=port).status == 401, "anybody may watch")
        check(Watch(launch, port=port, token="another-one-of-at-least-thirty-two-characters").status == 401, "any token will do")
        watch = Watch(launch, port=port, token=token)
        check(watch.status == 200, "refused with %d", watch.status)
        launch.until(lambda: len(watch.comments) >= 3, "three heartbeats", 60)
        launch.onsale("pause", "mail")
        launch.until(lambda: watch.of("pause"), "the pause", 5)
        local = Watch(launch)
        launch.mail["connections"] = 2
        launch.reload()
        launch.until(lambda: watch.of("reload"), "the reload", 5)
        check(not watch.over, "a reload with the same tokens ended the stream")
        launch.config["http"]["tokens"][0]["token"] = "b" + token  # it had leaked
        launch.reload()
        watch.thread.join(5)
        check(watch.over, "it listens on with a token that counts no more")
        check(Watch(launch, port=port, token=token).status == 401, "the old token is still good")
        back = Watch(launch, port=port, token="b" + token, last_id=watch.id)
        launch.until(lambda: back.of("reload"), "what happened meanwhile", 5)
        launch.until(lambda: len(local.of("reload")) == 2, "the reloads at the unix socket", 5)
        check(not local.over, "who needs no token was sent away")
        launch.alive()


STORIES = [whole_launch, filters, asked_rightly_and_wrongly, comes_back, killed_and_started, reloads_and_stops, neighbours,
           sums, does_not_read, a_thousand, heartbeat, watch_command, over_the_network]

if __name__ == "__main__":
    tell(STORIES)
