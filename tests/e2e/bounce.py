#!/usr/bin/env python3
"""What comes back: mail servers pipe it, other programs call a hook, and whoever cannot be reached is not written to again."""
import base64
import concurrent.futures
import http.client
import json
import os
import pwd
import re
import subprocess

from events import from_the_beginning
from launch import BUILD, SOURCE, Failed, Launch, check, free_port, tell

TOKEN = "k5xw4zdfojthk3bamzqw4y3sna"  # of the samples; no installation has made it
EX_DATAERR, EX_TEMPFAIL, EX_NOPERM = 65, 75, 77


def verp(launch, **rule):
    launch.mail.update(envelope_from="bounces@arena.example", **rule)


def senders(launch):
    """To whom the sink was given a mail, with the VERP address that it came from."""
    return {mail["to"]: mail["from"] for mail in launch.mails()}


def token_of(sender):
    local, _, domain = sender.partition("@")
    name, _, token = local.partition("+")
    check(name == "bounces" and domain == "arena.example" and len(token) == 26, "MAIL FROM was %s", sender)
    return token


def sample(name, sender, address):
    """A message of the samples, as if it had come back from that person."""
    with open(os.path.join(SOURCE, "tests", "samples", "bounce", name + ".eml"), "rb") as file:
        text = file.read()
    return text.replace(TOKEN.encode(), token_of(sender).encode()).replace(b"ana.lima@fans.example", address.encode())


def pipe(launch, message, *words, **environment):
    done = subprocess.run([os.path.join(BUILD, "onsale"), "bounce", *words], input=message, timeout=60, capture_output=True,
                          env={**launch.environment, **environment})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def bounce(launch, message, expected, *words, **environment):
    code, said, errors = pipe(launch, message, *words, **environment)
    check(code == 0 and expected in said and not errors, "exit %d, said %r and %r, expected %r", code, said, errors, expected)
    check("@" not in said, "it says about whom: %s", said)


def suppressed(launch):
    done = launch.ask_api("suppressions")
    return {row["address"]: row["reason"] for row in done}


class House(Launch):
    """One that also listens on TCP, with a token of each scope."""

    def __init__(self, **more):
        super().__init__(**more)
        self.port = free_port()
        verp(self)
        for scope in ("read", "control", "hook"):
            self.write(scope + ".token", "secret-of-%s-0123456789\n" % scope)
        self.config["http"] = {
            "listen": ["unix:onsale.sock", "127.0.0.1:%d" % self.port],
            "tokens": [{"name": scope, "token_file": scope + ".token", "scope": scope} for scope in ("read", "control", "hook")]}

    def call(self, method, path, body=None, token=None, basic=None, content_type="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": content_type}
        if token:
            headers["Authorization"] = "Bearer secret-of-%s-0123456789" % token
        if basic:
            headers["Authorization"] = "Basic " + base64.b64encode(basic.encode()).decode()
        try:
            connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ask_api(self, path):
        status, text = self.call("GET", "/api/v1/" + path, token="control")
        check(status == 200, "%s: %d %s", path, status, text)
        return json.loads(text)


def gathered_already():
    """A first notice comes back while the next one, whose people are on its list already, waits for its time."""
    with House(opens_in=22) as launch:
        launch.rule["gather_ahead"] = "21s"
        launch.config["rules"].append({**launch.rule, "name": "early", "when": "13s before sale_start", "gather_ahead": "8s"})
        launch.run()
        early = launch.wait("done", rule="early")
        before = launch.eligible()
        by_address = senders(launch)
        check(set(by_address) == before, "early was sent to others")
        forms = {  # form -> what is said, and how they are called in the list afterwards
            "postfix-user-unknown": ("hard 5.1.1: notice", "bounce"), "qmail-no-mailbox": ("hard 5.1.1: notice", "bounce"),
            "exim-unrouteable": ("hard: notice", "bounce"), "exchange-ndr": ("hard 5.1.10: notice", "bounce"),
            "gmail-text": ("hard 5.1.1: notice", "bounce"), "arf-abuse": ("complaint: notice", "complaint"),
            "arf-embedded-only": ("complaint: notice", "complaint"), "upper-case-recipient": ("hard 5.1.1", None),
            "postfix-mailbox-full": ("soft 5.2.2: notice", None), "spam-beside-5.1.1": ("policy 5.7.1: notice", None),
            "policy-dmarc-gmail": ("policy 5.7.26: notice", None), "several-people": ("nothing to do", None),
            "vacation": ("nothing to do: an automatic answer", None), "postfix-delayed": ("nothing to do", None),
            "arf-not-spam": ("nothing to do", None)}
        gone, reasons = set(), {}
        for (form, (said, reason)), (address, sender) in zip(forms.items(), sorted(by_address.items())):
            message = sample(form, sender, address)
            if form == "upper-case-recipient":  # names nobody but in its recipient, which the mail server says
                message = message.replace(TOKEN.upper().encode(), b"").replace(token_of(sender).encode(), b"")
                bounce(launch, message, "names nobody")
                bounce(launch, message, said, RECIPIENT=sender.upper())
                reason = "bounce"
            else:
                bounce(launch, message, said)
            if reason:
                gone.add(address)
                reasons[address] = reason
            if form == "qmail-no-mailbox":  # the mail server was not sure, and pipes it again
                bounce(launch, message, "as was said before")
        check(suppressed(launch) == reasons, "suppressed are %s, expected %s", suppressed(launch), reasons)
        # no sample at all: words of Postfix's environment, and a bare status
        extra = sorted(by_address)[len(forms):len(forms) + 3]
        plain = b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n550 5.1.1 no such user\n"
        bounce(launch, plain, "never written to again", EXTENSION=token_of(by_address[extra[0]]))
        bounce(launch, plain, "never written to again", ORIGINAL_RECIPIENT=by_address[extra[1]])
        bounce(launch, plain, "never written to again", "--recipient", by_address[extra[2]], RECIPIENT=by_address[extra[0]])
        launch.sleep_until(-0.5)
        gone |= set(extra)
        launch.wait("done")
        mails = [mail["to"] for mail in launch.mails()]
        for address in before:
            check(mails.count(address) == (1 if address in gone else 2), "%s got %d mails", address, mails.count(address))
        people = launch.people()
        check({a for a, p in people.items() if p["reason"] == "suppressed"} == gone, "others are withheld as suppressed")
        shown = launch.show(rule="early")
        check(shown["feedback"] == {"hard": 9, "soft": 1, "policy": 2, "complaint": 2}, "feedback: %s", shown["feedback"])
        check("came back" in launch.onsale("show", early["id"]), "show does not say it")
        first = sorted(by_address)[0]
        steps = [step["what"] for notice in launch.ask("why", first)["notices"] for step in notice["steps"]]
        check(any(step.startswith("came back: hard 5.1.1: 550 5.1.1 <***>") for step in steps), "why says %s", steps)
        launch.audit()


def not_ours():
    """Tampered, foreign, or somebody else's format: it is nobody, nothing is stored, and the mail server is content."""
    with House() as launch:
        launch.run()
        launch.wait("done")
        address, sender = sorted(senders(launch).items())[0]
        token = token_of(sender)
        for place in (0, 5, 12, 24, 25):
            for other in "a7":
                tampered = token[:place] + (other if token[place] != other else "b") + token[place + 1:]
                message = sample("postfix-user-unknown", "bounces+%s@arena.example" % tampered, address)
                code, said, _ = pipe(launch, message)
                check(code == 0 and ("names nobody" in said), "%s: exit %d, %s", tampered, code, said)
        foreign = sample("postfix-user-unknown", "bounces+%s@arena.example" % TOKEN, address)
        bounce(launch, foreign, "names nobody")
        bounce(launch, sample("arf-abuse", "bounces+%s@arena.example" % TOKEN, address), "names nobody")
        bounce(launch, b"\0" * 1000 + b"\xff" * 1000, "nothing to do")
        bounce(launch, b"x" * (10 << 20), "nothing to do")
        check(suppressed(launch) == {}, "suppressed: %s", suppressed(launch))
        check(sum(launch.show()["feedback"].values()) == 0, "feedback: %s", launch.show()["feedback"])
        # a test message of the operators is of no notice
        launch.onsale("send-test", "on-sale", "--to", "me@arena.example")
        test = senders(launch)["me@arena.example"]
        bounce(launch, sample("postfix-user-unknown", test, "me@arena.example"), "names nobody")
        check(suppressed(launch) == {}, "a test message suppressed somebody")


def what_a_mail_server_is_told():
    with House() as launch:
        launch.run()
        launch.wait("done")
        address, sender = sorted(senders(launch).items())[0]
        message = sample("postfix-user-unknown", sender, address)
        code, said, errors = pipe(launch, b"")
        check(code == EX_DATAERR and "standard input" in errors, "nothing: exit %d %s", code, errors)
        if os.geteuid() == 0:  # else nobody is there who may not
            os.chmod(launch.folder, 0o755)
            nobody = pwd.getpwnam("nobody")
            ours = ["onsale"] + [name for name in os.listdir(BUILD) if name.endswith(".so")]
            # Out of a home of root's; by cp, since a file that this program holds open is busy in all that other stories start.
            subprocess.run(["cp", *(os.path.join(BUILD, name) for name in ours), launch.folder], check=True)
            done = subprocess.run([launch.path("onsale"), "bounce"], input=message, capture_output=True, timeout=60,
                                  env={**launch.environment, "ONSALE_PLUGINS": launch.folder},
                                  user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
            check(done.returncode == EX_NOPERM, "without permission: exit %d %s", done.returncode, done.stderr)
        check(suppressed(launch) == {}, "somebody is suppressed already")
        launch.stop()
        code, said, errors = pipe(launch, message)
        check(code == EX_TEMPFAIL and "daemon" in errors and "@" not in errors, "no daemon: exit %d %s", code, errors)
        code, _, _ = pipe(launch, message, ONSALE_CONFIG=launch.path("nowhere.yaml"))
        check(code == EX_TEMPFAIL, "no configuration: exit %d", code)
        launch.start()
        bounce(launch, message, "never written to again")
        check(suppressed(launch) == {address: "bounce"}, "suppressed: %s", suppressed(launch))


def policy_holds():
    """Receivers refuse us after having accepted: what is left waits for a person."""
    with House(people=600) as launch:
        verp(launch, rate="8/s")
        launch.run()
        launch.wait("sending")
        launch.until(lambda: len(launch.mails()) >= 25, "mails")
        told = sorted(senders(launch).items())
        for address, sender in told[:20]:
            bounce(launch, sample("policy-dmarc-gmail", sender, address), "policy 5.7.26: notice")
        check(launch.notice()["state"] == "sending", "held after twenty")
        for address, sender in told[20:22]:
            bounce(launch, sample("policy-dmarc-gmail", sender, address), "policy 5.7.26: notice")
        shown = launch.wait("held", "message")
        check("refused for policy" in shown["reason_text"], "it says %s", shown["reason_text"])
        check(suppressed(launch) == {}, "policy suppressed: %s", suppressed(launch))
        launch.mail["rate"] = "1000/s"
        launch.reload()
        launch.onsale("release", launch.notice()["id"])
        launch.wait("done")
        launch.agree(launch.eligible())


def all_at_once():
    """A mail server that comes back from a pause hands in everything, and some of it twice."""
    with House() as launch:
        launch.run()
        launch.wait("done")
        everybody = senders(launch)
        messages = [sample("postfix-user-unknown", sender, address) for address, sender in everybody.items()] * 2
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            results = list(pool.map(lambda message: pipe(launch, message), messages))
        check({code for code, _, _ in results} == {0}, "exits: %s", [result for result in results if result[0]][:3])
        again = sum("as was said before" in said for _, said, _ in results)
        check(again == len(everybody), "%d of %d were said before", again, len(results))
        check(launch.show()["feedback"]["hard"] == len(everybody), "feedback: %s", launch.show()["feedback"])
        check(set(suppressed(launch)) == set(everybody), "others are suppressed")
        launch.audit()


def hooks():
    with House() as launch:
        launch.run()
        launch.wait("done")
        people = launch.people()
        first, second, third, fourth, fifth, sixth = sorted(people)[:6]
        hard = {"email": first, "source": "relay", "type": "hard"}

        def refused(status, body=hard, says="", **how):
            got, text = launch.call("POST", "/hooks/bounces", body, **how)
            check(got == status and says in text, "%s %s: %d %s", body, how, got, text)
            check(first not in text and "reflected" not in text, "it repeats what was sent: %s", text)

        refused(401)
        refused(401, token="nobody")
        refused(401, basic="x:secret-of-nobody")
        refused(403, token="read")
        refused(403, basic="x:secret-of-read-0123456789")
        refused(415, token="hook", content_type="text/plain")
        refused(400, "{", token="hook")
        refused(400, [], token="hook")
        refused(400, [hard] * 101, token="hook", says="100")
        refused(400, {**hard, "type": "reflected"}, token="hook", says="type")
        refused(400, [hard, {**hard, "type": "policy"}], token="hook", says="entry 1: type")
        refused(400, {"type": "hard"}, token="hook", says="email")
        refused(400, {**hard, "email": "reflected@"}, token="hook", says="email")
        refused(400, {**hard, "email": 5}, token="hook", says="email")
        refused(400, {**hard, "reflected": 5}, token="hook", says="field")
        refused(400, [5], token="hook", says="object")
        check(launch.call("GET", "/hooks/bounces", token="hook")[0] == 405, "GET")
        check(launch.call("POST", "/hooks/other", hard, token="hook")[0] == 404, "another path")
        check(launch.call("GET", "/api/v1/notices", token="hook")[0] == 403, "a hook's token may ask the API")
        check(suppressed(launch) == {}, "a refused call did something: %s", suppressed(launch))

        def taken(body, **how):
            status, text = launch.call("POST", "/hooks/bounces", body, **how)
            check((status, json.loads(text)) == (200, {"data": True}), "%d %s", status, text)

        uuid = people[third]["source_id"]
        taken(hard, token="hook")
        taken({**hard, "email": second.upper(), "type": "complaint", "meta": {"any": ["thing"]}}, basic="listmonk:secret-of-hook-0123456789")
        taken([{"subscriber_uuid": uuid, "campaign_uuid": "x", "type": "hard", "source": "ses"},
               {"email": fourth, "type": "soft"}, {"subscriber_uuid": "nobody's", "type": "hard"},
               {"email": "unknown@example.org", "type": "soft"}], token="control")
        check(suppressed(launch) == {first: "bounce", second: "complaint", third: "bounce"}, "%s", suppressed(launch))
        check(launch.show()["feedback"] == {"hard": 2, "soft": 1, "policy": 0, "complaint": 1}, "%s", launch.show()["feedback"])
        watch, seen = from_the_beginning(launch, "?types=bounce,suppression"), {}

        def told():
            for kind in ("bounce", "suppression"):
                seen[kind] = {}
                for data in watch.of(kind):
                    for word, count in data["counts"].items():
                        seen[kind][word] = seen[kind].get(word, 0) + count
            return seen == {"bounce": {"hard": 2, "soft": 1, "complaint": 1}, "suppression": {"bounce": 2, "complaint": 1}}
        try:
            launch.until(told, "the events", 5)
        except Failed:
            raise Failed("events told of %s" % seen)
        watch.hang_up()
        # the API takes the same, by address and by key
        key = launch.ask_api("suppressions")[0]["key"]
        for body, expected in (({"address": fifth, "kind": "hard", "text": "said of " + fifth}, True),
                               ({"key": key, "kind": "soft", "status": "4.2.2"}, False)):
            status, text = launch.call("POST", "/api/v1/bounces", body, token="control")
            check(status == 200 and json.loads(text)["known"] and json.loads(text)["suppressed"] == expected, "%d %s", status, text)
        check(suppressed(launch)[fifth] == "bounce", "by the API: %s", suppressed(launch))
        check(fifth not in json.dumps([n["steps"] for n in launch.ask("why", fifth)["notices"]]), "why repeats an address")
        for body in ({"kind": "hard"}, {"address": sixth, "key": key, "kind": "hard"}, {"address": sixth, "kind": "gone"},
                     {"tokens": ["x"] * 17, "kind": "hard"}, {"tokens": [1], "kind": "hard"}, {"key": "zz", "kind": "hard"},
                     {"address": sixth, "kind": "hard", "status": "five"}):
            status, text = launch.call("POST", "/api/v1/bounces", body, token="control")
            check(status == 400 and sixth not in text, "%s: %d %s", body, status, text)
        check(launch.call("POST", "/api/v1/bounces", {"address": sixth, "kind": "hard"}, token="hook")[0] == 403, "hook at the API")
        launch.audit()


def previews():
    """What a token of scope read is shown of a message lets nobody act for others."""
    with House(opens_in=8) as launch:
        launch.config["http"]["public_url"] = "http://127.0.0.1:%d" % launch.port
        launch.run()
        launch.wait("done")
        notice, people = launch.notice()["id"], sorted(launch.eligible())
        for token, person, works in ("read", people[0], False), ("control", people[1], True):
            asked = {"rule": "on-sale", "notice": notice, "subscriber": person}
            preview = json.loads(launch.call("POST", "/api/v1/preview", asked, token=token)[1])
            check(any("samples" in note for note in preview["notes"]) != works, "%s is told %s", token, preview["notes"])
            message = preview["message"]
            link = re.search(r"/u/[A-Za-z0-9_-]+", message).group()
            name = re.search(r"Message-ID: <([a-z2-7]{26})@", message).group(1)
            status = launch.call("POST", link, "scope=all", content_type="application/x-www-form-urlencoded")[0]
            check(status == (200 if works else 404), "the link of a preview for %s: %d", token, status)
            answer = launch.call("POST", "/api/v1/bounces", {"tokens": [name], "kind": "soft"}, token="control")[1]
            check(json.loads(answer)["known"] is works, "the Message-ID of a preview for %s: %s", token, answer)
        check([s["reason"] for s in launch.ask("suppressions")] == ["unsubscribe"], "%s", launch.ask("suppressions"))


if __name__ == "__main__":
    tell([gathered_already, not_ours, what_a_mail_server_is_told, policy_holds, all_at_once, hooks, previews])
