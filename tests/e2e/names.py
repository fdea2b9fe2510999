#!/usr/bin/env python3
"""Name servers that know nothing, fail or do not answer at all, for mail servers, audiences and a site; and then do. Beside each
stand others that need no name: nothing of it may keep them waiting."""
import os
import time

from launch import EVENT, Launch, check, moment, now_ms, tell

SILENT_S = 8  # longer than every patience of the daemon here
WORDS = {"unknown": "unknown", "failing": "failing", "silent": "silent %d" % SILENT_S}


class Named(Launch):
    def __init__(self, **more):
        super().__init__(people=60, definitions=1, events=1, many=lambda launch: self.servers(), **more)
        self.preload("names", NAMES=self.path("names"), NAMES_LOG=self.path("names.log"))
        self.write("names.log", "")

    def servers(self):
        self.make_certificate("mail.example", "unknown.mail.example", "failing.mail.example", "silent.mail.example")
        return {word: {"cert": self.path("cert.pem"), "key": self.path("key.pem")} for word in WORDS}

    def say(self, host, word):
        """One line of the name servers' file changes."""
        known = dict(line.split(" ", 1) for line in self.read("names").splitlines())
        known[host] = word
        self.write("names.new", "".join("%s %s\n" % each for each in known.items()))
        os.replace(self.path("names.new"), self.path("names"))

    def read(self, name):
        if not os.path.exists(self.path(name)):
            return ""
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def by_rule(self):
        at = moment(self.opens_at_ms)
        return {one["rule"]: one for one in self.ask("notices") if one["event_id"] == EVENT and one["opens_at"] == at}

    def told(self, sink):
        return sorted(line["to"] for line in self.mails() if line.get("sink") == sink)


def told_once(launch, notice, sink):
    people = {person["address"]: person["state"] for person in launch.ask("people", notice["id"])}
    check(launch.told(sink) == sorted(launch.eligible()), "%s: told are %d of %d", sink, len(launch.told(sink)),
          len(launch.eligible()))
    check(set(people) == launch.eligible() and set(people.values()) == {"accepted"}, "%s: %s", sink, set(people.values()))


def mail_servers():
    """Three notifiers whose servers have no address, and one that needs no name."""
    with Named(opens_in=8) as launch:
        for word, line in WORDS.items():
            host = word + ".mail.example"
            launch.say(host, line)
            launch.config["notifiers"].append(
                {"name": word, "plugin": "smtp", "url": "smtp://%s:%d" % (host, launch.sink.many[word]), "ca_file": "cert.pem",
                 "from": "Arena Tickets <tickets@arena.example>", "connections": 3, "connect_timeout": "1s",
                 "unsubscribe_url": "https://tool.example/unsubscribe"})
            launch.config["rules"].append(dict(launch.rule, name=word, notify=[word]))
        launch.run()
        launch.until(lambda: launch.notice() and launch.notice()["state"] == "done", "those without a name to be told")
        for word in WORDS:
            launch.until(lambda: "event=channel_trouble notifier=%s " % word in launch.log_since(), "the log to say so of " + word)
        # Giving up does not wait for the name servers, nor does anything else: not one look-up has come to its end by now.
        check("silent" not in launch.read("names.log"), "somebody waited for the name servers")
        launch.agree(launch.eligible())
        for word in WORDS:
            notice = launch.by_rule()[word]
            check(notice["state"] == "sending" and notice["counts"]["waiting"] == notice["counts"]["planned"],
                  "%s: %s %s", word, notice["state"], notice["counts"])
            launch.say(word + ".mail.example", "here")
        launch.until(lambda: all(launch.by_rule()[word]["state"] == "done" for word in WORDS), "everybody to be told")
        for word in WORDS:
            told_once(launch, launch.by_rule()[word], word)
        launch.audit()


def audiences():
    """The marketing tool has no address while it is to be read: held for consent, and going on when it has."""
    with Named(opens_in=6) as launch:
        for word, line in WORDS.items():
            host = word + ".tool.example"
            launch.say(host, line)
            launch.config["audiences"].append(
                dict(launch.fans, name=word, url="http://%s:%d" % (host, launch.listmonk.port), timeout="1s"))
            launch.config["notifiers"].append(dict(launch.mail, name=word, url="smtp://127.0.0.1:%d" % launch.sink.many[word]))
            launch.config["rules"].append(dict(launch.rule, name=word, audiences=[word], notify=[word]))
        launch.run()
        launch.until(lambda: launch.notice() and launch.notice()["state"] == "done", "those without a name to be told")
        launch.agree(launch.eligible())

        def held():
            notices = launch.by_rule()
            return all((notices[word]["state"], notices[word]["reason"]) == ("held", "consent") for word in WORDS) and notices
        for word, notice in launch.until(held, "the others to be held").items():
            if word in WORDS:
                check(not launch.told(word), "%s: somebody was told", word)
                text = launch.ask("show", notice["id"])["reason_text"] or ""
                check(word in text, "it does not say which audience: %s", text)
                launch.say(word + ".tool.example", "here")
        launch.until(lambda: all(launch.by_rule()[word]["state"] == "done" for word in WORDS), "everybody to be told")
        for word in WORDS:
            told_once(launch, launch.by_rule()[word], word)
        launch.audit()


def a_site():
    """A second site whose name nobody resolves keeps neither the first one's gate nor a command waiting."""
    with Named(opens_in=6) as launch:
        launch.rule["sites"] = ["arena"]
        launch.say("wix.example", WORDS["silent"])
        launch.config["sites"].append(dict(launch.site, name="other", base_url="https://wix.example", timeout="1s"))
        launch.run()
        while now_ms() < launch.opens_at_ms:
            launch.ask("notices")
            time.sleep(0.2)
        launch.wait("done")
        launch.agree(launch.eligible())
        check("site=other" in launch.log_since(), "the log does not say that the site has no address")


if __name__ == "__main__":
    tell([mail_servers, audiences, a_site])
