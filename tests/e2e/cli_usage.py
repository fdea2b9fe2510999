#!/usr/bin/env python3
"""What the commands say, and the exit code, when they are used wrongly or there is nothing to talk to: 0 fine, 1 failed,
2 usage, 3 configuration, or a state that is damaged. Each line: what is typed, the exit code, and what must be said."""

import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import time

import small

ALONE = [  # no state yet, no daemon
    ([], 0, "usage: onsale COMMAND"),
    (["help"], 0, "onsale help COMMAND"),
    (["--help"], 0, "usage: onsale COMMAND"),
    (["version"], 0, "onsale "),
    (["help", "show"], 0, "usage: onsale show NOTICE [--json]"),
    (["show", "--help"], 0, "usage: onsale show NOTICE"),
    (["help", "shwo"], 2, 'did you mean "show"?'),
    (["peple"], 2, 'did you mean "people"?'),
    (["frobnicate"], 2, 'there is no command "frobnicate" (known: run'),
    (["\x1b[31mred"], 2, "\\x1b[31mred"),
    (["show"], 2, "NOTICE is missing"),
    (["show", ""], 2, "NOTICE is missing"),
    (["show", "abc"], 2, "NOTICE is a number"),
    (["show", "0"], 2, "NOTICE is a number"),
    (["show", "-1"], 2, "NOTICE is a number"),
    (["show", "99999999999999999999"], 2, "NOTICE is a number"),
    (["show", "1", "2"], 2, 'what is "2" for?'),
    (["notices", "x"], 2, 'what is "x" for?'),
    (["notices", "--jsno"], 2, 'unknown option --jsno (did you mean "json"?)'),
    (["notices", "--anyway"], 2, "unknown option --anyway"),
    (["notices", "-j"], 2, "options have two dashes"),
    (["notices", "--json=yes"], 2, "no value goes with --json"),
    (["notices", "--config"], 2, "a value is missing behind --config"),
    (["notices", "--config="], 2, "a value is missing behind --config"),
    (["people", "1", "--state", "gone"], 2, "--state is one of waiting"),
    (["why"], 2, "ADDRESS is missing"),
    (["why", "nobody"], 2, "ADDRESS: expected an address"),
    (["why", "a b@c.example"], 2, "ADDRESS: a blank"),
    (["why", "a@b.example\r\nX: y"], 2, "ADDRESS:"),
    (["why", b"\xff@b.example"], 2, "ADDRESS:"),
    (["suppress", "nobody"], 2, "ADDRESS:"),
    (["send-test", "on-sale"], 2, "--to ADDRESS"),
    (["send-test", "on-sale", "--to", "nobody"], 2, "--to: expected an address"),
    (["retry", "1"], 2, "--refused CODE, --in-doubt or --withheld REASON"),
    (["retry", "1", "--in-doubt", "--refused", "550"], 2, "--refused CODE, --in-doubt or --withheld REASON"),
    (["retry", "1", "--refused", "many"], 2, "--refused: expected a whole number"),
    (["retry", "1", "--withheld", "luck"], 2, '--withheld is one of "suppressed"'),
    (["status", "--config", "/nowhere/onsale.yaml"], 3, "no daemon runs at /run/onsale/onsale.sock; one that listens elsewhere"),
    (["notices", "--config", "/nowhere/onsale.yaml"], 3, "--config FILE or ONSALE_CONFIG"),
    (["run", "--config", "/nowhere/onsale.yaml"], 3, "conf/onsale.yaml"),
    (["check", "--config", "/nowhere/onsale.yaml"], 3, "No such file"),
    (["notices"], 1, "there is no state at"),
    (["why", "ada@fans.example"], 1, "the first `onsale run` makes it"),
    (["audit"], 1, "there is no state at"),
    (["pause"], 1, ": start it by systemctl start onsale, or onsale run"),
    (["help", "send-test"], 0, "usage: onsale send-test RULE --to ADDRESS [--config FILE]"),
    (["send-test", "on-sale", "--too", "a@b.example"], 2, 'unknown option --too (did you mean "to"?)'),
    (["hold", "1"], 1, "no daemon runs at"),
    (["sync"], 1, "no daemon runs at"),
    (["suppress", "ada@fans.example"], 1, "no daemon runs at"),
    (["check"], 0, "on-sale: when the sale starts"),
    (["preview", "on-sale"], 0, "Subject: "),
    (["preview", "on-sale", "--language", "xx"], 0, 'template on-sale is not there in "xx", only in en, de'),
    (["preview", "on-sael"], 1, 'there is no rule "on-sael" (did you mean "on-sale"?)'),
    (["preview", "on-sale", "--notice", "1"], 1, "no state"),
    (["preview", "on-sale", "--subscriber", "nobody"], 2, "--subscriber: expected an address"),
]

RUNNING = [  # a notice 1 that is done, a notice 2 that is planned
    (["show", "77"], 1, "there is no notice 77"),
    (["people", "77"], 1, "there is no notice 77"),
    (["hold", "77"], 1, "there is no notice 77"),
    (["retry", "77", "--in-doubt"], 1, "there is no notice 77"),
    (["pause", "77"], 1, "there is no notice 77"),
    (["pause", "post"], 1, 'there is no notifier "post" (known: mail)'),
    (["pause", "mial"], 1, 'there is no notifier "mial" (did you mean "mail"?)'),
    (["resume", "post"], 1, 'there is no notifier "post"'),
    (["hold", "1"], 1, "notice 1 is done"),
    (["release", "1"], 1, "notice 1 is done"),
    (["release", "2"], 1, "notice 2 is planned, not held"),
    (["cancel", "1"], 1, "notice 1 is done"),
    (["again", "2", "--anyway"], 1, "it has not ended yet"),
    (["again", "1"], 1, "nothing was changed"),
    (["retry", "1", "--refused", "550"], 0, "nobody"),
    (["suppress", "ada@fans.example", "--audience", "vips"], 1, 'there is no audience "vips" (known: fans)'),
    (["suppress", "--from", "/dev/null", "--audience", "fnas"], 1, 'there is no audience "fnas" (did you mean "fans"?)'),
    (["feed", "--site", "arean"], 1, 'there is no site "arean" (did you mean "arena"?)'),
    (["feeds", "add", "press", "--site", "arean"], 1, 'there is no site "arean" (did you mean "arena"?)'),
    (["feeds", "rotate", "press"], 1, 'there is no private feed "press" (there is none)'),
    (["feeds", "add", "press"], 0, "/feeds/t/"),
    (["feeds", "revoke", "pres"], 1, 'there is no private feed "pres" (did you mean "press"?)'),
    (["webhooks", "test", "crm"], 1, 'there is no webhook "crm" (there is none)'),
    (["suppress", "ada@fans.example", "--audience", "fans"], 0, "is not written to any more as one of audience fans"),
    (["unsuppress", "ada@fans.example"], 0, "but not as one of audience fans (operator): onsale unsuppress ada@fans.example --aud"),
    (["unsuppress", "ada@fans.example", "--audience", "fans"], 0, "may be written to again"),
    (["unsuppress", "ada@fans.example", "--audience", "left-long-ago"], 0, "may be written to again"),
    (["hold", "2"], 0, "notice 2 is planned, paused"),
    (["resume", "2"], 0, " UTC\n"),
    (["resume", "2"], 0, "notice 2 was not paused: nothing is changed"),
    (["pause", "mail"], 0, "notifier mail is paused"),
    (["show", "2"], 0, "notifier mail"),
    (["notices"], 0, ", notifier paused"),
    (["resume"], 0, "notifier mail goes on: paused by "),
    (["sync"], 0, "every site is walked"),
    (["send-test", "no-sale", "--to", "me@arena.example"], 1, 'there is no rule "no-sale" (did you mean "on-sale"?)'),
    (["send-test", "on-sale", "--to", "me@arena.example"], 0, "accepted by mail"),
    (["cancel", "2"], 0, "notice 2 is cancelled"),
    (["audit"], 0, "found no problem"),
]


def people_checked(b):
    """What only the gathering would find out is told with the place that has to be mended; a file may still come."""
    place = "onsale.yaml:9:38: "
    people = open(b.path("people.csv"), encoding="utf-8").read()
    for header, said in (("email,name,locale,time_zone,status,evnts,city", 'there is no column "events"'),
                         ("mehl,name,locale,time_zone,status,events,city", "no column is named email"),
                         ("email,name,locale,time_zone,word,events,city", "no column says who agreed")):
        b.write("people.csv", people.replace(people.splitlines()[0], header))
        try_all(b, [(["check"], 3, said)])
        shown = b.run("check").stdout
        assert "error: " + b.path(place) in shown, shown
    os.unlink(b.path("people.csv"))
    try_all(b, [(["check"], 0, "warning: " + b.path(place))])
    b.write("people.csv", people)
    try_all(b, [(["check"], 0, "on-sale: ")])


def told_by_check(b):
    """What would fail or be wrong later is told now, with the line."""
    before = open(b.path("onsale.yaml"), encoding="utf-8").read()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for find, replace, code, said in (
            ("path: definitions.json", "path: definitons.json", 0, "warning: " + b.path("onsale.yaml:7:39: path: ")),
            ("operators: ", "templates: [mine]\noperators: ", 3, "onsale.yaml:5:13: error: templates: expected a folder"),
            ("template: on-sale,", "template: on-sael,", 3, "error: " + b.path("onsale.yaml:13:84: rule on-sale: ")),
            ("rules:\n", "webhooks: [{name: crm, url: 'https://192.168.7.7/', secret: " + secret + "}]\nrules:\n", 3,
             "onsale.yaml:12:29: error: url: 192.168.7.7 is no address of the public internet"),
            ("rules:\n", "webhooks: [{name: crm, url: 'http://192.168.7.7/', allow_private: true, secret: " + secret + "}]\nrules:\n",
             0, "crm: of everything, to http://192.168.7.7")):
        assert find in before
        b.write("onsale.yaml", before.replace(find, replace))
        try_all(b, [(["check"], code, said)])
    b.write("crm.secret", secret + "\n")
    for key, place in (("secret_file: crm.secret", "12:76: secret_file: "), ("secret: " + secret, "12:71: secret: ")):
        b.write("onsale.yaml", before.replace("rules:\n", "webhooks: [{name: crm, url: 'https://hooks.arena.example/in', "
                                              + key + "}]\nrules:\n"))
        for mode, told in ((0o644, 1), (0o640, 0)):
            os.chmod(b.path("crm.secret"), mode)
            os.chmod(b.path("onsale.yaml"), mode)
            shown = b.run("check")
            warned = "warning: " + b.path("onsale.yaml:" + place + "everybody on this machine can read ")
            assert shown.returncode == 0 and shown.stdout.count(warned) == told and secret not in shown.stdout, shown
    os.chmod(b.path("onsale.yaml"), 0o644)
    b.write("onsale.yaml", before)


def damaged_state(b):
    """What systemd is not to start again and again has a code of its own, and the table of codes says so."""
    with open(b.path("onsale.db"), "wb") as file:
        file.write(b"no database " * 1000)
    try_all(b, [(["notices"], 3, "damaged"), (["run"], 3, "damaged"),
                (["backup", b.path("copy.db")], 3, b.path("onsale.db") + ": damaged"),
                (["help"], 0, "3 mend the configuration, or a state that is damaged")])
    os.unlink(b.path("onsale.db"))


def run(b, arguments):
    return subprocess.run([os.path.join(small.BUILD, "onsale"), *arguments], env=b.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


def try_all(b, cases):
    for arguments, code, said in cases:
        answer = run(b, arguments)
        text = answer.stdout.decode(errors="replace")
        assert answer.returncode == code, f"{arguments}: {answer.returncode} instead of {code}\n{text}"
        assert said in text, f"{arguments}: does not say {said!r}\n{text}"
        assert not any(ord(c) < 32 and c not in "\n\r" for c in text), f"{arguments}: control characters\n{text!r}"


def on_terminal(b, *arguments, columns=0, **more):
    """What a terminal gets that is so wide; 0: it does not say."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([os.path.join(small.BUILD, "onsale"), *arguments], env={**b.environment, **more},
                             stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    got = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        got += chunk
    assert child.wait(timeout=60) == 0, got
    os.close(master)
    return got.decode()


def colours(b):
    assert "\x1b[1m" in on_terminal(b, "notices") and "\x1b[" not in on_terminal(b, "notices", NO_COLOR="1")
    assert "\x1b" not in b.run("notices").stdout
    for command in (["notices"], ["openings"], ["show", "1"], ["why", "ada@fans.example"], ["notices", "--json"],
                    ["people", "1"]):
        shown = on_terminal(b, *command, NO_COLOR="1")
        assert "\x1b" not in shown and "\u202e" not in shown and "\u009b" not in shown, (command, shown)
    assert "EET" in b.run("notices", TZ="Europe/Vilnius").stdout or "EEST" in b.run("notices", TZ="Europe/Vilnius").stdout


def narrow(b):
    """A table is as wide as the terminal at most, says so when that took something, and never cuts what one may have to type;
    elsewhere it is whole."""
    whole = {command: b.run(*command).stdout for command in (("notices",), ("openings",), ("people", "1"), ("suppressions",))}
    title = "X" * 60
    assert title in whole[("notices",)] and "\u2026" not in whole[("notices",)]
    for columns in (80, 100):
        for command, everything in whole.items():
            shown = on_terminal(b, *command, columns=columns, NO_COLOR="1", LANG="C.UTF-8", LC_ALL="").replace("\r", "")
            lines = shown.splitlines()
            assert max(map(len, lines)) <= columns, (columns, command, shown)
            assert max(map(len, everything.splitlines())) > columns or shown == everything, (columns, command, shown, everything)
            if command == ("notices",):
                assert [line.split()[0] for line in lines[:3]] == ["ID", "1", "2"] and "\u2026" in shown, shown
                assert "`| cat` shows the whole" in shown and title not in shown and "on-sale" in shown, shown
            if command[0] == "suppressions":
                rows = b.json("suppressions")  # an address is only left while somebody of a notice has it
                assert all((row["address"] or row["key"]) in shown for row in rows), shown
                assert columns > 80 or len(rows) > 1 or rows[0]["key"] not in shown, "who has an address needs no key"
    assert title in on_terminal(b, "notices", NO_COLOR="1"), "a terminal that does not say how wide it is"
    assert title in on_terminal(b, "notices", columns=80, NO_COLOR="1", COLUMNS="300"), "who says COLUMNS means it"
    plain = on_terminal(b, "notices", columns=80, NO_COLOR="1", LANG="C", LC_ALL="", LC_CTYPE="")
    assert "..." in plain and "\u2026" not in plain, plain


def outage(b):
    """A shop that cannot be read is one line in the log however often it is asked, and another one when it is over."""
    before = os.path.getsize(b.path("log"))

    def told(event):
        with open(b.path("log"), encoding="utf-8") as file:
            file.seek(before)
            return [line for line in file.read().splitlines() if f"event={event} " in line]

    os.rename(b.path("definitions.json"), b.path("away"))
    for _ in range(3):
        assert b.run("sync").returncode == 0
        b.wait(lambda: "No such file" in b.run("status").stdout)
        time.sleep(0.5)
    os.rename(b.path("away"), b.path("definitions.json"))
    b.wait(lambda: told("walk_well"))
    assert len(told("walk_failed")) == 1 and "times=1 " in told("walk_failed")[0], told("walk_failed")
    over = re.search(r" failed=(\d+) seconds=\d+$", told("walk_well")[0])
    assert over and int(over[1]) >= 3, told("walk_well")


def hostile_requests(b):
    """Whatever is sent to the socket, the daemon answers with a problem, or hangs up, and goes on."""
    requests = [
        (b"POST", b"suppress", b"[]", 400), (b"POST", b"suppress", b"{", 400), (b"POST", b"suppress", b'{"address": 7}', 400),
        (b"POST", b"suppress", b'{"address": "a@b.example", "color": 1}', 400), (b"POST", b"suppress", b"{}", 400),
        (b"POST", b"suppress", b'{"address": "a@b.example", "address": "c@d.example"}', 400),
        (b"POST", b"suppress", b'{"address": "\\u0000@b.example"}', 400), (b"POST", b"pause", b'{"target": "moon:1"}', 400),
        (b"POST", b"pause", b'{"target": "notice:x"}', 400), (b"POST", b"notices/1/retry", b"{}", 400),
        (b"POST", b"notices/1/retry", b'{"refused": 1.5}', 400), (b"POST", b"notices/1/retry", b'{"refused": -1}', 400),
        (b"POST", b"notices/x/hold", b"", 404), (b"POST", b"notices/0/hold", b"", 404),
        (b"POST", b"notices/1/hold/it", b"", 404), (b"GET", b"notices/1/hold", b"", 405), (b"POST", b"notices", b"", 405),
        (b"DELETE", b"notices/1", b"", 405), (b"GET", b"nothing", b"", 404), (b"GET", b"", b"", 404),
        (b"GET", b"notices/1/people?limit=0", b"", 400), (b"GET", b"notices/1/people?cursor=n1", b"", 400),
        (b"GET", b"notices/1/people?state=gone", b"", 400), (b"POST", b"why", b"[" * 5000, 400),
        (b"POST", b"why", b'{"address": "' + b"a" * 70000 + b'"}', 413), (b"POST", b"notices/1/again/", b"", 404),
        (b"POST", b"notices/2/release", b'{"anyway": "yes"}', 400), (b"POST", b"notices/2/release", b"", 409),
    ]
    for method, path, body, status in requests:
        got = talk(b, b"%s /api/v1/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" %
                   (method, path, len(body), body))
        assert got.startswith(b"HTTP/1.1 %d " % status), (method, path, body[:80], status, got[:400])
        assert b"application/problem+json" in got and b'"detail"' in got, (path, got)
    for raw in (b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                b"POST /api/v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                b"POST /api/v1/sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"):
        talk(b, raw)
    assert b.run("audit").returncode == 0


def talk(b, request):
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(b.path("onsale.sock"))
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got = b""
        try:
            while chunk := line.recv(65536):
                got += chunk
        except OSError:
            pass
        return got


def test(b):
    b.sale(600)
    try_all(b, ALONE)
    assert not os.path.exists(b.path("mails")), "looking at a configuration makes no folders"
    people_checked(b)
    told_by_check(b)
    damaged_state(b)
    b.sale(3, title="Red \x1b[31mNight \u202eabc\u009b1m" + 60 * "X")
    b.start()
    b.wait(lambda: len(b.json("notices")) == 2 and b.state(1) == "done")
    colours(b)
    assert b.run("suppress", "bert@fans.example").returncode == 0
    narrow(b)
    assert b.run("suppress", "nobody-here@fans.example").returncode == 0
    narrow(b)
    with open("/dev/full", "w", encoding="utf-8") as full:
        for command in (["people", "1", "--csv"], ["notices"], ["why", "ada@fans.example", "--json"]):
            done = subprocess.run([os.path.join(small.BUILD, "onsale"), *command], env=b.environment, stdout=full,
                                  stderr=subprocess.PIPE, timeout=60)
            assert done.returncode == 1 and b"could not be written" in done.stderr, (command, done)
    hostile_requests(b)
    try_all(b, RUNNING)
    outage(b)
    sent = [open(path, "rb").read() for path in b.mails()]
    assert sum(b"[Test]" in mail or b"=5BTest=5D" in mail for mail in sent) == 1
    assert b.json("show", "1")["counts"]["planned"] == 3, "a test message is outside the ledger"


small.main(test)
