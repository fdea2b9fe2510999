#!/usr/bin/python3
"""Calendars as programs read them, with the real daemon: what HTTP says of them, private ones from their first link to the
last, and that the last good one is served whatever happens behind it."""

import gzip
import http.client
import os
import re
import signal
import socket
import time
import urllib.parse

from launch import EVENT, Launch, check, free_port, tell

PUBLIC = "https://tickets.example"


def ask(port, path, method="GET", keep=None, **headers):
    """`headers`: of the request, "_" for "-"."""
    connection = keep or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.body = answer.read()
    if not keep:
        connection.close()
    return answer


def open_doors(launch, **more):
    """A port over TCP beside the daemon's socket."""
    port = free_port()
    launch.config["http"].update(listen=["unix:onsale.sock", f"127.0.0.1:{port}"], public_url=PUBLIC, **more)
    return port


def wait_for_calendar(launch, port, path="/feeds/arena.ics", openings=3):
    """Published a minute after its events were changed last."""
    def published():
        answer = ask(port, path)
        check(answer.status in (200, 503), "%s: %d %s", path, answer.status, answer.body)
        return answer.status == 200 and answer.body.count(b"BEGIN:VEVENT") >= openings and answer
    return launch.until(published, "the calendar to be published", 100)


def make(launch, *words):
    """The path of a new link."""
    url, webcal = launch.onsale("feeds", *words).split()
    check(url.startswith(PUBLIC + "/feeds/t/") and url.endswith(".ics") and len(url) < 256, "%s", url)
    check(webcal == "webcal" + url[len("https"):], "%s", webcal)
    check(re.fullmatch(r"[A-Za-z0-9_-]{24}", url[len(PUBLIC + "/feeds/t/"):-len(".ics")]), "%s", url)
    return urllib.parse.urlsplit(url).path


def feed_of(launch, name):
    [row] = [row for row in launch.ask("feeds") if row["name"] == name]
    return row


def forms(launch, port):
    """Whole, packed, without its body, and not at all."""
    whole = wait_for_calendar(launch, port)
    fields = whole.headers
    check(fields["Content-Type"] == "text/calendar; charset=utf-8", "%s", fields)
    check(fields["Content-Disposition"] == 'inline; filename="arena.ics"', "%s", fields)
    check(fields["Cache-Control"] == "public, max-age=300" and fields["Vary"] == "Accept-Encoding", "%s", fields)
    check(re.fullmatch(r'"[^"]+"', fields["ETag"]) and fields["Last-Modified"].endswith(" GMT"), "%s", fields)
    check(not fields["Content-Encoding"] and not fields["X-Robots-Tag"] and not fields["Location"], "%s", fields)
    check(whole.body.startswith(b"BEGIN:VCALENDAR\r\n") and whole.body.endswith(b"END:VCALENDAR\r\n"), "%s", whole.body)
    packed = ask(port, "/feeds/arena.ics", Accept_Encoding="br, gzip")
    check(gzip.decompress(packed.body) == whole.body, "it is another one, packed")
    check(packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding", "%s", packed.headers)
    check(packed.headers["ETag"] != fields["ETag"], "both forms have one tag")
    check(ask(port, "/feeds/arena.ics", Accept_Encoding="gzip;q=0").body == whole.body, "packed for who said no")
    head = ask(port, "/feeds/arena.ics", method="HEAD")
    check(head.status == 200 and not head.body and head.headers["Content-Length"] == str(len(whole.body)), "%s", head.headers)
    check(head.headers["ETag"] == fields["ETag"], "%s", head.headers)
    for have in ({"If_None_Match": fields["ETag"]}, {"If_None_Match": '"x", W/' + fields["ETag"]}, {"If_None_Match": "*"},
                 {"If_Modified_Since": fields["Last-Modified"]},
                 {"If_None_Match": packed.headers["ETag"], "Accept_Encoding": "gzip"}):
        for method in "GET", "HEAD":
            same = ask(port, "/feeds/arena.ics", method=method, **have)
            check(same.status == 304 and not same.body, "%s: %d", have, same.status)
            check(same.headers["ETag"] and same.headers["Cache-Control"] == fields["Cache-Control"] and
                  same.headers["Vary"] == "Accept-Encoding" and not same.headers["Content-Type"], "%s", same.headers)
    check(ask(port, "/feeds/arena.ics", If_None_Match='"x"', If_Modified_Since=fields["Last-Modified"]).status == 200,
          "a date counted beside a tag")
    keep = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(3): # where each answer ends is clear
        check(ask(port, "/feeds/arena.ics", keep=keep, If_None_Match=fields["ETag"]).status == 304, "304")
        check(ask(port, "/feeds/arena.ics", keep=keep, method="HEAD").status == 200, "HEAD")
        check(ask(port, "/feeds/arena.ics", keep=keep).body == whole.body, "another body")
    keep.close()


def others(launch, port):
    """One event's, what is not there, what nobody may, what is no path."""
    one = ask(port, f"/feeds/arena/{EVENT}.ics")
    check(one.status == 200 and b"BEGIN:VEVENT" in one.body, "%d %s", one.status, one.body[:200])
    check(one.body != ask(port, "/feeds/arena.ics").body, "an event's is the site's")
    robots = ask(port, "/robots.txt")
    check(robots.status == 200 and robots.headers["Content-Type"] == "text/plain; charset=utf-8", "%s", robots.headers)
    check(b"\nDisallow: /u/\n" in robots.body and b"feeds" not in robots.body, "%s", robots.body)
    for path in ("/feeds/moon.ics", "/feeds/arena/moon.ics", "/feeds/arena.ICS", "/feeds/.ics", "/feeds/", "/feeds/arena",
                 "/feeds/arena/.ics", "/feeds/arena/a/b.ics", "/feeds/t/.ics", "/feeds/t.ics", "/feeds/t/short.ics",
                 "/feeds/t/" + "A" * 24 + ".ics", "/feeds/t/" + "A" * 5000 + ".ics", "/feeds/t/a/b.ics", "/feeds/Arena.ics",
                 "/feeds/arena%20.ics", "/feeds/%F0%9F%8E%AB.ics", "/feeds/arena.ics.ics"):
        answer = ask(port, path)
        check(answer.status == 404, "%s: %d %s", path, answer.status, answer.body)
        check(answer.headers["Content-Type"] == "text/plain; charset=utf-8" and len(answer.body) < 100, "%s", answer.headers)
        check(not answer.headers["Location"], "%s", answer.headers)
    for method in "POST", "PUT", "DELETE", "PATCH":
        answer = ask(port, "/feeds/arena.ics", method=method)
        check(answer.status == 405 and "GET, HEAD" in answer.headers["Allow"], "%s: %d", method, answer.status)
    check(ask(port, "/feeds/arena.ics", method="POST").headers["Allow"] == "GET, HEAD", "Allow")
    for path in ("/feeds/../api/v1/status", "/feeds/%2e%2e/x.ics", "/feeds//arena.ics", "/feeds/a%2Fb.ics", "/feeds/a%00.ics",
                 "/feeds/arena.ics%0d%0aX:%20y", "/feeds/%ff.ics", "/feeds\\arena.ics", "/feeds/arena%zz.ics"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        check(answer.startswith(b"HTTP/1.1 400 "), "%s: %s", path, answer[:100])
    for value in ('"' * 3000, "W/" * 1000, ", " * 3000, "*, *", "\"\xff\"", '"a' + "b" * 8000 + '"'):
        answer = ask(port, "/feeds/arena.ics", If_None_Match=value, Accept_Encoding=value, If_Modified_Since=value)
        check(answer.status == 200, "%r: %d", value[:20], answer.status)


def as_programs_read_it():
    with Launch(opens_in=300) as launch:
        port = open_doors(launch)
        launch.run()
        forms(launch, port)
        others(launch, port)


def by_a_link():
    """Made, read, killed, read again, given another link, revoked; kept from the public all the while."""
    with Launch(opens_in=300) as launch:
        port = open_doors(launch, tokens=[])
        launch.site["feed"] = {"public": False}
        launch.run()
        path = make(launch, "add", "radio")
        answer = wait_for_calendar(launch, port, path)
        check(answer.headers["Cache-Control"] == "private, max-age=300" and answer.headers["X-Robots-Tag"] == "noindex" and
              answer.headers["Referrer-Policy"] == "no-referrer", "%s", answer.headers)
        check(ask(port, "/feeds/arena.ics").status == 404 and ask(port, f"/feeds/arena/{EVENT}.ics").status == 404,
              "it is public")
        check(ask(port, path, If_None_Match=answer.headers["ETag"], User_Agent="Calendars/7 (+mailto:me@fans.example)").status == 304,
              "it has it already")
        one = make(launch, "add", "one event", "--site", "arena", "--event", EVENT)
        check(b"BEGIN:VEVENT" in ask(port, one).body != answer.body, "the event's is the whole one")
        row = feed_of(launch, "radio")
        check(row["fetches"] >= 2 and row["last_fetch_at"] and row["last_client"].startswith("Calendars/7"), "%s", row)
        check("fans.example" not in str(row), "%s", row)
        launch.stop()
        check(feed_of(launch, "radio") == row, "an orderly stop forgot the last fetch: %s", feed_of(launch, "radio"))
        launch.start()
        launch.stop(signal.SIGKILL)
        launch.start()
        check(ask(port, path).status == 200, "a link does not outlive kill -9")
        check(feed_of(launch, "radio")["created_at"] == row["created_at"], "another one")
        again = make(launch, "rotate", "radio")
        check(again != path and ask(port, path).status == 410 and ask(port, again).status == 200, "the old link")
        check(feed_of(launch, "radio")["fetches"] == 1 and feed_of(launch, "radio")["rotated_at"], "%s", feed_of(launch, "radio"))
        launch.onsale("feeds", "revoke", "radio")
        launch.stop(signal.SIGKILL)
        launch.start()
        for old in path, again:
            gone = ask(port, old)
            check(gone.status == 410 and gone.headers["Content-Type"].startswith("text/plain"), "%d", gone.status)
        check(ask(port, one).status == 200, "another one's was revoked")
        newest = make(launch, "add", "radio")
        check(ask(port, again).status == 410 and ask(port, newest).status == 200, "a name that is used again")
        refused(launch)
        launch.stop()
        with open(launch.path("onsale.log"), encoding="utf-8") as file:
            log = file.read()
        state = b"".join(open(launch.path(name), "rb").read() for name in os.listdir(launch.folder) if name.startswith("onsale.db"))
        for link in path, one, again, newest:
            token = link[len("/feeds/t/"):-len(".ics")]
            check(token not in log and token.encode() not in state, "a token is in the log or in the state")


def refused(launch):
    for words, code, text in ((("add", "one event"), 1, "of that name already"), (("add", "a@b.example"), 1, "no address"),
                              (("add", "x", "--site", "moon"), 1, "there is no site"), (("add", "x", "--event", "moon"), 1, "no such event"),
                              (("rotate", "nobody"), 1, "no private feed"), (("revoke", "nobody"), 1, "no private feed"),
                              (("remove", "x"), 2, "expected add"), (("add",), 2, "NAME is missing"), (("add", "x", "y"), 2, "what is \"y\" for"),
                              (("rotate", "x", "--site", "arena"), 2, "go with add"), (("add", "\x1b[2J"), 1, "control characters")):
        said = launch.try_onsale("feeds", *words)
        check(said.returncode == code and text in said.stderr, "%s: %d %s", words, said.returncode, said.stderr)


def whatever_happens_behind_it():
    """Before there is one: come back later. From then on it is there: the source is out, the disk is full, after a restart."""
    with Launch(opens_in=600) as launch:
        port = open_doors(launch)
        launch.room()
        launch.wix.stop()
        launch.opens_at_ms = 1
        launch.start()
        early = ask(port, "/feeds/arena.ics")
        check(early.status == 503 and early.headers["Retry-After"] == "60" and b"VCALENDAR" not in early.body, "%d", early.status)
        check(ask(port, f"/feeds/arena/{EVENT}.ics").status == 503, "an event's")
        launch.stop()
        launch.wix.start()
        launch.run()
        good = wait_for_calendar(launch, port)
        path = make(launch, "add", "radio")
        launch.wix.stop()
        launch.room(0)
        launch.until(lambda: launch.try_onsale("status").returncode == 1, "it to notice")
        for _ in range(3):
            for at in "/feeds/arena.ics", path:
                answer = ask(port, at)
                check(answer.status == 200 and answer.body == good.body, "%s: %d", at, answer.status)
        launch.room(10000)
        launch.stop(signal.SIGKILL)
        launch.start()
        answer = ask(port, "/feeds/arena.ics")
        check(answer.status == 200 and answer.headers["ETag"] == good.headers["ETag"] and answer.body == good.body,
              "another one after a restart: %d", answer.status)


def guessed():
    """What is there costs nothing; who asks for what is not there is told to wait, and may then try no tokens."""
    with Launch(opens_in=300) as launch:
        port = open_doors(launch, rate="1/s", proxies=["127.0.0.1"])
        launch.run()
        wait_for_calendar(launch, port)
        path = make(launch, "add", "radio")
        for _ in range(60):
            check(ask(port, "/feeds/arena.ics").status == 200 and ask(port, path).status == 200, "it is charged")
        tries = [ask(port, "/feeds/t/" + "%024d" % number + ".ics").status for number in range(30)]
        check(tries[0] == 404 and tries[-1] == 429, "%s", tries)
        check(ask(port, path).status == 429, "a guesser learns by what is refused")
        check(ask(port, path, X_Forwarded_For="192.0.2.7").status == 200, "somebody else is refused")
        check(ask(port, "/feeds/arena.ics").status == 200, "what is public is refused")


if __name__ == "__main__":
    tell([as_programs_read_it, by_a_link, whatever_happens_behind_it, guessed])
