#!/usr/bin/env python3
"""What marketing tools say by signed webhooks counts at once, also for who is gathered; once, and only what is signed."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import time

from launch import SOURCE, Launch, check, free_port, tell

OLD, NEW = (b"the one that is still good!!", b"the one that comes after it!")


def written(secret):
    return "whsec_" + base64.b64encode(secret).decode()


def signature(secret, ident, at, body):
    mac = hmac.new(secret, b"%s.%s.%s" % (ident.encode(), str(at).encode(), body), hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


class House(Launch):
    def __init__(self, opens_in=3600, people=12, **more):
        super().__init__(opens_in=opens_in, people=people, **more)
        self.port = free_port()
        self.write("crm.secret", written(OLD) + " " + written(NEW) + "\n")
        self.write("any.secret", written(OLD) + "\n")
        self.config["http"]["listen"].append("127.0.0.1:%d" % self.port)
        self.config["http"]["hooks"] = [{"name": "crm", "secret_file": "crm.secret", "audience": "fans"},
                                        {"name": "any", "secret_file": "any.secret"}]

    def post(self, body, name="any", ident=None, at=None, secret=OLD, signed=None, method="POST"):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        ident, at = ident or "msg_%d" % time.monotonic_ns(), int(time.time()) if at is None else at
        headers = {"webhook-id": ident, "webhook-timestamp": str(at), "Content-Type": "application/json",
                   "webhook-signature": signature(secret, ident, at, body) if signed is None else signed}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, "/hooks/signed/" + name, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def say(self, word, data, expected="taken", **more):
        status, answer = self.post({"type": "contact." + word, "timestamp": "2027-03-26T08:00:00Z", "data": data}, **more)
        check(status == 200 and answer["result"].startswith(expected), "%s %s: %d %s", word, list(data), status, answer)

    def suppressed(self):
        return sorted((one["address"] or "", one["scope"], one["reason"]) for one in self.ask("suppressions"))


def also_who_is_gathered():
    with House(opens_in=11, people=300) as launch:
        launch.rule["gather_ahead"] = "10s"
        launch.run()
        launch.wait("ready")
        people = sorted(launch.eligible())
        ids = {one["address"]: one["source_id"] for one in launch.people().values()} if "source_id" in next(
            iter(launch.people().values())) else {}
        launch.say("unsubscribed", {"email": people[0].upper()}, name="crm", secret=NEW)
        launch.say("unsubscribed", {"email": people[1], "audience": "fans"})
        launch.say("unsubscribed", {"email": people[2]})
        launch.say("bounced", {"email": people[3], "reason": "550 5.1.1 <%s> is nobody" % people[3]})
        launch.say("complained", {"email": people[4], "kind": "whatever"})
        launch.say("bounced", {"email": people[5], "kind": "soft"})
        if ids:
            launch.say("unsubscribed", {"source_id": ids[people[6]]})
        launch.say("unsubscribed", {"source_id": "00000000-0000-4000-8000-000000000000"}, "nobody")
        launch.say("unsubscribed", {"email": "stranger@elsewhere.example"})
        told = set(people) - set(people[:5]) - ({people[6]} if ids else set())
        launch.wait("done")
        launch.agree(told)
        log = launch.log_since()
        check(not any(one in log for one in people[:6]), "the log names somebody")
        # the tool of the audience heard of it
        launch.until(lambda: not {people[0], people[1]} & launch.eligible(), "listmonk to hear of it")
        check((people[3], "", "bounce") in launch.suppressed() and (people[1], "fans", "unsubscribe") in launch.suppressed(),
              "suppressed: %s", launch.suppressed())


def ids_of_audiences():
    """Each audience counts its people by itself: who is 17 of one is somebody else of another."""
    with House(opens_in=11) as launch:
        launch.rule["gather_ahead"] = "8s"
        for name, address in {"door": "di@door.example", "hall": "hal@hall.example"}.items():
            launch.write(name + ".csv", "contact id,email,status\n17,%s,subscribed\n18,also-%s,subscribed\n19,late-%s,subscribed\n" % (address, address, address))
            launch.config["audiences"].append({"name": name, "source": "file", "path": name + ".csv"})
        launch.rule["audiences"] = ["fans", "door", "hall"]
        launch.run()
        # the tool still lists who has just left: read only now, they are not told
        launch.say("unsubscribed", {"source_id": "19", "audience": "door"}, "nobody we know so far")
        launch.say("complained", {"source_id": "19", "audience": "hall"}, "nobody we know so far")
        launch.until(launch.notice, "the sale to be planned")
        check(launch.notice()["counts"]["planned"] == 0, "they were gathered already")
        launch.wait("ready")
        status, answer = launch.post({"type": "unsubscribed", "data": {"source_id": "20"}})
        check(status == 400 and "data.audience" in json.dumps(answer), "nobody's: %d %s", status, answer)
        status, answer = launch.post({"type": "unsubscribed", "data": {"source_id": "17"}})
        check(status == 400 and "data.audience" in json.dumps(answer), "whose id it is was guessed: %d %s", status, answer)
        launch.say("unsubscribed", {"source_id": "17", "audience": "door"})
        launch.say("bounced", {"source_id": "18", "audience": "hall"})
        launch.say("unsubscribed", {"source_id": "17"}, "nobody", name="crm")  # that of the fans
        launch.wait("done")
        launch.agree(launch.eligible() | {"also-di@door.example", "hal@hall.example"})
        log = launch.log_since()
        for line in ("unsubscribed who=any result=kept suppressed=0 already=0 unknown=1 kept=1",
                     "unsubscribed who=any result=new suppressed=1 already=0 unknown=0 kept=0",
                     "bounced who=any result=new suppressed=1 already=0 unknown=0 kept=0"):
            check("event=hook what=" + line in log, "no line %s in %s", line, log)


def once():
    """A webhook that comes again, days later or after a crash, does not take back what a person said since."""
    with House() as launch:
        launch.run()
        launch.say("unsubscribed", {"email": "ana@fans.example"}, ident="msg_1")
        launch.say("unsubscribed", {"email": "ana@fans.example"}, "known", ident="msg_1")
        launch.onsale("unsuppress", "ana@fans.example")
        launch.stop(9)
        launch.start()
        launch.say("unsubscribed", {"email": "ana@fans.example"}, "known", ident="msg_1")
        check(launch.suppressed() == [], "suppressed: %s", launch.suppressed())
        launch.say("unsubscribed", {"email": "ana@fans.example"}, ident="msg_1", name="crm")  # another sender's id
        launch.say("resubscribed", {"email": "ana@fans.example"}, "passed over", name="crm")
        launch.say("deleted", {"email": "bo@fans.example"}, "passed over")
        check([one[1:] for one in launch.suppressed()] == [("fans", "unsubscribe")], "suppressed: %s", launch.suppressed())


def only_what_is_signed():
    with House() as launch:
        launch.run()
        good = {"type": "contact.unsubscribed", "data": {"email": "ana@fans.example"}}
        now = int(time.time())
        for name, more in {"another secret": {"secret": NEW}, "no signature": {"signed": ""}, "v1 of nothing": {"signed": "v1,"},
                           "too old": {"at": now - 301}, "ahead": {"at": now + 330}, "an id with a dot": {"ident": "a.b"},
                           "no time": {"at": ""}}.items():
            status, answer = launch.post(good, **more)
            check(status == 401, "%s: %d %s", name, status, answer)
        check(launch.post(good, name="nobody")[0] == 404, "an unknown name")
        check(launch.post(good, method="GET")[0] == 405, "GET")
        for name, body in {"no JSON": "{", "an array": [good], "a text": '"unsubscribed"', "twice": '{"type": "a", "type": "b"}', "no type": {}, "no data": dict(good, data=None),
                           "no address": dict(good, data={"email": "x"}), "nobody": dict(good, data={}),
                           "an audience that is none": dict(good, data={"email": "ana@fans.example", "audience": "fan"})}.items():
            status, answer = launch.post(body)
            check(status == 400 and "ana" not in json.dumps(answer), "%s: %d %s", name, status, answer)
        other = dict(good, data={"email": "ana@fans.example", "audience": "door"})
        check(launch.post(other, name="crm")[0] == 400, "an audience that is not its own")
        check(launch.suppressed() == [], "suppressed: %s", launch.suppressed())
        # both secrets while one is exchanged, and a reload takes the old one away
        launch.write("crm.secret", written(NEW) + "\n")
        launch.reload()
        check(launch.post(good, name="crm")[0] == 401, "the old secret is still taken")
        launch.say("unsubscribed", good["data"], name="crm", secret=NEW)
        launch.write("crm.secret", "whsec_short\n")
        done = launch.try_onsale("check")
        said = done.stdout + done.stderr
        check(done.returncode != 0 and "secret: expected whsec_" in said and "short" not in said, "check said %s", said)


def by_hand(launch, word):
    """The commands of README that hold this word, with the paths of this house."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"hooks_signed.py -->\n((?:    .*\n)+)", file.read())
    [script] = [block for block in blocks if word in block]
    script = script.replace("/etc/onsale", launch.folder).replace("127.0.0.1:8470", "127.0.0.1:%d" % launch.port)
    script = script.replace("systemctl reload onsale", "kill -HUP %d; sleep 1" % launch.daemon.pid)
    script = script.replace("ID-OF-A-TICKET", launch.ask("openings")[0]["definitions"][0]["id"])
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, cwd=launch.folder, timeout=30, check=False)
    check(done.returncode == 0, "README by hand: %s %s", done.stdout, done.stderr)
    return done.stdout


def as_readme_says():
    with House(people=3) as launch:
        launch.site["webhook_key_file"] = "wix-webhooks.pem"
        subprocess.run("openssl genrsa 2048 | openssl rsa -pubout -out wix-webhooks.pem", shell=True, cwd=launch.folder,
                       stderr=subprocess.DEVNULL, timeout=30, check=True)
        launch.write("crm.secret", written(OLD) + "\n")
        launch.run()
        launch.until(lambda: launch.notice(), "the sale to be planned")
        check('{"result": "taken"}' in json.dumps(json.loads(by_hand(launch, "signed/crm"))), "not taken")
        check([one[1:] for one in launch.suppressed()] == [("fans", "unsubscribe")], "suppressed: %s", launch.suppressed())
        check(" 200 " in by_hand(launch, "hooks/wix").splitlines()[0], "the token is not taken")
        launch.until(lambda: "event=read_again site=arena definitions=1" in launch.log_since(), "it to be read again")


if __name__ == "__main__":
    tell([also_who_is_gathered, ids_of_audiences, once, only_what_is_signed, as_readme_says])
