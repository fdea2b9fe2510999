#!/usr/bin/env python3
"""Leaving: the link that every mail carries, in the hands of people, mail programs, scanners and those who mean no good."""
import base64
import email
import email.policy
import html
import http.client
import os
import random
import re
import resource
import signal
import urllib.parse

from launch import Launch, TooSlow, check, free_port, now_ms, tell

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


class Open(Launch):
    """With a door to the outside; the mail server keeps what it takes."""

    def __init__(self, **more):
        super().__init__(behaviour={"keep": True}, **more)
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.config["http"].update(listen=["unix:onsale.sock", "127.0.0.1:%d" % self.port], public_url=self.url + "/",
                                   rate=[])
        self.door = None

    def doors(self, **people):
        """Audiences of files in place of listmonk: nobody but us knows who left."""
        self.config["audiences"] = []
        for name, addresses in people.items():
            self.write(name + ".csv", "email,status\n" + "".join("%s,subscribed\n" % address for address in addresses))
            self.config["audiences"].append({"name": name, "source": "file", "path": name + ".csv"})
        self.rule["audiences"] = list(people)

    def ask_door(self, method, target, body=None, **headers):
        """(status, headers, body); the connection stays open for the next one."""
        for again in (True, False):
            self.door = self.door or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                self.door.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
                answer = self.door.getresponse()
                return answer.status, answer.headers, answer.read().decode()
            except (http.client.HTTPException, ConnectionError):
                self.door.close()
                self.door = None
                if not again:
                    raise

    def get(self, link, **headers):
        return self.ask_door("GET", urllib.parse.urlsplit(link).path, **headers)

    def post(self, link, body=ONE_CLICK, content_type=FORM, **headers):
        return self.ask_door("POST", urllib.parse.urlsplit(link).path, body, Content_Type=content_type, **headers)

    def click(self, link):
        status, _, said = self.post(link)
        check((status, said) == (200, "unsubscribed\n"), "one click: %d %s", status, said)

    def letters(self):
        """{address: [message]}"""
        found = {}
        for mail in self.mails():
            found.setdefault(mail["to"], []).append(email.message_from_string(mail["raw"], policy=email.policy.default))
        return found

    def link_of(self, address, rule="on-sale"):
        """Of somebody who was gathered and has no mail yet."""
        raw = self.onsale("preview", rule, "--notice", self.notice(rule=rule)["id"], "--subscriber", address)
        return link_in(email.message_from_string(raw, policy=email.policy.default))

    def suppressed(self):
        return [(one["scope"], one["reason"]) for one in self.ask("suppressions")]

    def once_more(self, *rules):
        """A new edition of each notice; nobody who left is in it."""
        for rule in rules or ("on-sale",):
            before = self.notice(rule=rule)
            self.onsale("again", before["id"], "--anyway")
            self.until(lambda: self.notice(rule=rule)["id"] != before["id"], "a new edition of " + rule)
            self.wait("done", rule=rule)


def link_in(message):
    return message["List-Unsubscribe"].strip("<> \r\n")


def states(launch, **which):
    return {address: person["state"] + (": " + person["reason"] if person["reason"] else "")
            for address, person in launch.people(**which).items()}


def what_each_mail_carries():
    """A link of its own in the headers and in both bodies; opening it, as scanners do, changes nothing."""
    with Open(people=60) as launch:
        launch.rule["seed"] = ["eyes@arena.example"]
        launch.run()
        launch.wait("done")
        launch.onsale("send-test", "on-sale", "--to", "tester@arena.example")
        letters, links = launch.letters(), set()
        check(set(letters) == launch.eligible() | {"eyes@arena.example", "tester@arena.example"}, "%s", sorted(letters))
        for address, (letter,) in letters.items():
            link = link_in(letter)
            links.add(link)
            check(re.fullmatch(re.escape(launch.url) + "/u/[A-Za-z0-9_-]+", link), "%s", link)
            check(letter["List-Unsubscribe-Post"] == ONE_CLICK, "%s", letter["List-Unsubscribe-Post"])
            check(link in letter.get_body(("plain",)).get_content(), "the text has no link")
            check(link in html.unescape(letter.get_body(("html",)).get_content()), "the page has no link")
            token = link.rpartition("/")[2]
            inside = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            check(address.encode() not in inside and b"fans" not in inside, "the link tells who it is: %s", link)
            status, headers, page = launch.get(link)
            check(status == 200 and '<form method="post">' in page, "%d %s", status, page)
            check(address not in page and "%s•••@%s" % (address[0], address.split("@")[1]) in page, "%s", page)
            check("Street 1, 01100 Vilnius" in page and "help@arena.example" in page, "%s", page)
            status, headers, page = launch.ask_door("HEAD", urllib.parse.urlsplit(link).path)
            check(status == 200 and page == "", "HEAD: %d %s", status, page)
            status, headers, page = launch.ask_door("OPTIONS", urllib.parse.urlsplit(link).path)
            check(status in (200, 204), "OPTIONS: %d", status)
        check(len(links) == len(letters), "people share links")
        check(launch.suppressed() == [], "looking suppressed %s", launch.suppressed())
        for address in ("eyes@arena.example", "tester@arena.example"):
            launch.click(link_in(letters[address][0]))


def how_the_page_is_guarded():
    with Open(people=20) as launch:
        launch.run()
        launch.wait("done")
        link = link_in(next(iter(launch.letters().values()))[0])
        for status, headers, page in (launch.get(link), launch.post(link, "scope=this"), launch.get(link[:-1]),
                                      launch.post(link, "nothing")):
            check(headers["Content-Type"] == "text/html; charset=utf-8", "%s", headers)
            for name, value in (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"),
                                ("X-Robots-Tag", "noindex"), ("X-Content-Type-Options", "nosniff")):
                check(headers[name] == value, "%s: %s", name, headers[name])
            policy = headers["Content-Security-Policy"]
            for part in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
                check(part in policy, "%s", policy)
            check("script" not in policy and "<script" not in page, "scripts")
            check(headers["Set-Cookie"] is None and headers["Location"] is None, "%s", headers)
            check(headers["Content-Language"] in page, "%s", headers)
        status, headers, page = launch.post(link, ONE_CLICK)
        check((status, page) == (200, "unsubscribed\n"), "%d %s", status, page)
        check(headers["Set-Cookie"] is None and headers["Location"] is None, "%s", headers)
        check(launch.ask_door("PUT", urllib.parse.urlsplit(link).path, "x")[0] == 405, "PUT is answered")


def in_their_language():
    """The subscriber's own, else the browser's, else the site's."""
    with Open() as launch:
        launch.site["language"] = "lt"
        launch.config["audiences"] = [{"name": "door", "source": "file", "path": "door.csv"}]
        launch.rule["audiences"] = ["door"]
        launch.write("door.csv", "email,status,locale\nde@example.org,subscribed,de-AT\nno@example.org,subscribed,\n")
        launch.run()
        launch.wait("done")
        letters = launch.letters()
        german, none = link_in(letters["de@example.org"][0]), link_in(letters["no@example.org"][0])
        for link, accept, language in ((german, "fr", "de"), (none, "fr;q=0.4, pl;q=0.7, xx", "pl"), (none, "", "lt"),
                                       (none[:-3], "es", "es"), (none[:-3], "", "lt")):
            status, headers, page = launch.get(link, Accept_Language=accept)
            check('<html lang="%s">' % language in page, "expected %s: %s", language, page[:200])


def one_click_counts_at_once():
    """Also for who was gathered before, and for the next notice; the mail program's other ways to say it too."""
    with Open(opens_in=12) as launch:
        people = ["p%d@example.org" % number for number in range(40)]
        launch.doors(door=people)
        launch.rule["gather_ahead"] = "10s"
        launch.run()
        launch.wait("ready")
        gone = people[3:7]
        links = [launch.link_of(address) for address in gone]
        multipart = "--b1\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b1--\r\n"
        launch.click(links[0])
        check(launch.post(links[1], multipart, "multipart/form-data; boundary=b1")[0] == 200, "multipart")
        check("unsubscribed" in launch.post(links[2], "scope=this")[2], "the form")
        check(launch.post(links[3], "scope=all")[0] == 200, "the form for all")
        if now_ms() > launch.opens_at_ms - 500:
            raise TooSlow("the machine is too slow: the last click came at the opening")
        before = sorted(launch.suppressed())
        check(before == [("", "unsubscribe")] + 3 * [("door", "unsubscribe")], "%s", before)
        for link in links[:3]:
            for _ in range(3):
                launch.click(link)  # again is no news
        check(sorted(launch.suppressed()) == before, "%s", launch.suppressed())
        launch.wait("done")
        told = set(people) - set(gone)
        launch.agree(told)
        check({a for a, s in states(launch).items() if s == "withheld: suppressed"} == set(gone), "%s", states(launch))
        launch.click(link_in(launch.letters()[people[0]][0]))
        launch.once_more()
        check(states(launch)[people[0]] == "withheld: suppressed", "%s", states(launch)[people[0]])
        check(len(launch.letters()[people[0]]) == 1 and len(launch.letters()[people[1]]) == 2, "editions")


def while_it_is_being_sent():
    with Open(opens_in=8) as launch:
        people = ["p%d@example.org" % number for number in range(120)]
        launch.doors(door=people)
        launch.mail["rate"] = "20/s"
        launch.rule["gather_ahead"] = "6s"
        launch.run()
        launch.wait("ready")
        last = launch.link_of(people[-1]), launch.link_of(people[-2])
        launch.until(lambda: len(launch.mails()) >= 5, "the first mails")
        for link in last:
            launch.click(link)
        if {people[-1], people[-2]} & {mail["to"] for mail in launch.mails()}:
            raise TooSlow("the machine is too slow: everybody was told before the click")
        launch.wait("done")
        launch.agree(set(people[:-2]))


def from_one_list_or_from_all():
    with Open() as launch:
        launch.doors(fans=["ann@example.org", "bob@example.org"], club=["ann@example.org", "cleo@example.org"])
        launch.rule["audiences"] = ["fans"]
        launch.config["rules"].append({**launch.rule, "name": "club-sale", "audiences": ["club"]})
        launch.run()
        launch.wait("done")
        launch.wait("done", rule="club-sale")
        link = next(link_in(letter) for letter in launch.letters()["ann@example.org"])
        first = launch.get(link)[2]
        launch.click(link)
        launch.once_more("on-sale", "club-sale")
        told = len(launch.letters()["ann@example.org"])
        check(told == 3, "ann has %d mails: two, and one of the other list", told)
        check(launch.get(link)[2] == first, "the page says who has left: %s", launch.get(link)[2])
        check("all lists" in launch.post(link, "scope=all")[2], "all")
        launch.once_more("on-sale", "club-sale")
        check(len(launch.letters()["ann@example.org"]) == told, "ann was told after all")
        check(len(launch.letters()["bob@example.org"]) == len(launch.letters()["cleo@example.org"]) == 3, "others")


def keys_change():
    """The highest seals, all of them open; an old one that is taken out closes its links."""
    with Open(opens_in=8, people=30) as launch:
        launch.rule["gather_ahead"] = "6s"
        launch.run()
        launch.wait("done")
        a, b, c = sorted(launch.letters())[:3]
        old = {address: link_in(launch.letters()[address][0]) for address in (a, b, c)}
        path = launch.path("onsale.keys")
        with open(path, encoding="utf-8") as file:
            first = file.read()
        check(first.count("unsubscribe-") == 1 and os.stat(path).st_mode & 0o777 == 0o600, "%s", first.count("\n"))

        with open(path, "a", encoding="utf-8") as file:
            file.write("unsubscribe-2: %s\n" % os.urandom(64).hex())
        launch.reload()
        new = launch.link_of(b)
        check(new != old[b], "the old key still seals")
        launch.click(old[a])
        launch.stop()
        launch.start()
        check(launch.get(old[b])[0] == launch.get(new)[0] == 200, "a link does not open after a restart")

        with open(path, "w", encoding="utf-8") as file:
            file.write(first.replace("unsubscribe-1", "unsubscribe-x"))
        start = os.path.getsize(launch.path("onsale.log"))
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until(lambda: "reload_refused" in launch.log_since(start), "the reload to be refused")
        check("line 3" in launch.log_since(start), "%s", launch.log_since(start))
        check(launch.get(old[b])[0] == launch.get(new)[0] == 200, "a refused reload changed the keys")

        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line for line in first.splitlines(True) if "unsubscribe" not in line)
                       + "unsubscribe-2: %s\n" % os.urandom(64).hex())
        launch.reload()
        check(launch.get(old[b])[0] == launch.get(new)[0] == 404, "a link of a key that is gone opens")
        check(len(launch.suppressed()) == 1, "%s", launch.suppressed())


def keys_are_lost():
    """Other keys would write to whoever left: without its own a state is not served, and none are made in their place."""
    with Open(people=20) as launch:
        launch.run()
        launch.wait("done")
        link = link_in(sorted(launch.letters().items())[0][1][0])
        path = launch.path("onsale.keys")
        with open(path, encoding="utf-8") as file:
            own = file.read()

        start = os.path.getsize(launch.path("onsale.log"))
        os.rename(path, path + ".lost")
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until(lambda: "reload_refused" in launch.log_since(start), "the reload to be refused")
        check("onsale.keys is missing" in launch.log_since(start), "%s", launch.log_since(start))
        launch.stop()
        refused = launch.try_onsale("run")
        check(refused.returncode == 3 and "onsale.keys is missing" in refused.stderr, "%s", refused.stderr)
        check(not os.path.exists(path), "keys were made for a state that has its own")

        for line in ("person", "message-id"):
            with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(re.sub("^%s: ...." % line, "%s: 0000" % line, own, flags=re.M))
            for command in ("run", "why ann@example.org"):
                refused = launch.try_onsale(*command.split())
                check(refused.returncode != 0 and "has other keys" in refused.stderr, "%s: %s", command, refused.stderr)
        os.rename(path + ".lost", path)
        launch.start()
        launch.click(link)


def killed_behind_the_answer():
    """What was answered is on disk."""
    with Open(people=40) as launch:
        launch.run()
        launch.wait("done")
        letters = launch.letters()
        for number, address in enumerate(sorted(letters)[:8], 1):
            launch.click(link_in(letters[address][0]))
            launch.stop(signal.SIGKILL)
            launch.start()
            check(len(launch.suppressed()) == number, "%d of %d unsubscribes are left", len(launch.suppressed()), number)


def the_disk_is_full():
    """Nobody hears that they are unsubscribed when they are not."""
    with Open() as launch:
        launch.doors(door=["a@example.org", "b@example.org"])
        launch.run()
        launch.wait("done")
        a, b = [link_in(letters[0]) for _, letters in sorted(launch.letters().items())[:2]]
        _, most = resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (4096, most))
        status, headers, said = launch.post(a)
        check(status == 503 and said == "try again later\n" and headers["Retry-After"] == "60", "%d %s", status, said)
        status, headers, said = launch.post(b, "scope=this")
        check(status == 503 and "try again in a few minutes" in said and 'value="this"' in said, "%d %s", status, said)
        check(launch.get(a)[0] == 200, "the page itself")
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        launch.until(lambda: launch.post(a)[0] == 200, "the disk to be well again")
        check(len(launch.suppressed()) == 1, "%s", launch.suppressed())


def mutations(token, dice):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    while True:
        kind, at = dice.randrange(9), dice.randrange(len(token))
        if kind == 0:
            yield token[:at] + dice.choice(letters.replace(token[at], "")) + token[at + 1:]
        elif kind == 1:
            yield token[:at]
        elif kind == 2:
            yield token[at + 1:]
        elif kind == 3:
            yield token[:at] + dice.choice(letters) + token[at:]
        elif kind == 4:
            bit = dice.randrange(8 * len(raw))
            flipped = bytes(byte ^ (1 << bit % 8 if i == bit // 8 else 0) for i, byte in enumerate(raw))
            yield base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
        elif kind == 5:
            yield token + dice.choice(["=", "==", ".", "/", "/../" + token, "%00", "%0d%0a", "A", "%3D", "+"])
        elif kind == 6:
            yield base64.urlsafe_b64encode(dice.randbytes(dice.randrange(200))).rstrip(b"=").decode()
        elif kind == 7:
            yield dice.choice(letters) * dice.choice([1, 30, 1731, 1732, 4000])
        else:
            yield base64.urlsafe_b64encode(raw[:2] + dice.randbytes(len(raw) - 2)).rstrip(b"=").decode()


def hostile_links():
    """Ten thousand of them: the same few words to each, and nothing is done."""
    with Open(people=20) as launch:
        launch.run()
        launch.wait("done")
        links = [link_in(letters[0]) for letters in launch.letters().values()]
        good = {urllib.parse.urlsplit(link).path.rpartition("/")[2] for link in links}
        dice, said = random.Random(8058), set()
        tries = mutations(sorted(good)[0], dice)
        for number in range(10000):
            token = next(tries)
            if token in good:
                continue
            if number % 2:
                status, _, page = launch.ask_door("POST", "/u/" + token, ONE_CLICK, Content_Type=FORM)
            else:
                status, _, page = launch.ask_door("GET", "/u/" + token)
            if set(token) & set("%/"):  # no path that the server hands on, or one that leads elsewhere
                check(status in (400, 404), "%s: %d %s", token, status, page)
                continue
            check(status == 404, "%s: %d %s", token, status, page)
            said.add(page)
        check(len(said) == 1, "%d different answers", len(said))
        check("This link is not complete" in said.pop(), "it says something else")
        check(launch.suppressed() == [], "%s", launch.suppressed())
        with Open(people=20) as other:  # somebody else's daemon, with keys of its own
            other.run()
            other.wait("done")
            for letters in other.letters().values():
                check(launch.post(urllib.parse.urlsplit(link_in(letters[0])).path)[0] == 404, "a foreign link opens")
        check(launch.suppressed() == [], "%s", launch.suppressed())
        launch.click(links[0])


if __name__ == "__main__":
    tell([what_each_mail_carries, how_the_page_is_guarded, in_their_language, one_click_counts_at_once,
          while_it_is_being_sent, from_one_list_or_from_all, keys_change, keys_are_lost, killed_behind_the_answer,
          the_disk_is_full, hostile_links])
