#!/usr/bin/env python3
"""Many mail servers, each bad in its own way, at one instant: one daemon, a notifier and a rule for each of them, and some people
who are to hear from each. What is judged is the servers' log against what the commands say of every person. It also shows that
no server's fault keeps another one's people waiting, and that everything goes on by itself, or by a word of an operator, as soon
as the server is mended.

Each row of the table: a name, what the server does, and what must come of it:
  told        all are told
  waits       nobody is charged with anything while it lasts; when it is over, all are told
  held WHY    the same, but the notice is held and an operator releases it
  later       nobody is charged, but the server asked for more patience than a test has
  never       nobody is charged, and nothing is sent before somebody changes the configuration
  refused     each is refused, and nobody got anything
  withheld    each was tried as often as the rule allows, and no more
  doubt       the final dot of each was taken and never answered: in doubt, and not repeated
  repeated    the same where the rule says in_doubt: repeat: as often as the rule allows, and no more
  braked      held when some of a crowd have been charged with what is nobody's fault; after `retry` and `release` all are told
"""
import json
import subprocess

from launch import EVENT, Failed, Launch, check, moment, tell

PEOPLE = 6
BRAKE = 20  # refusals in a row
ATTEMPTS = 3

CODES = {
    # at:      greeting    mail           rcpt        data           dot
    "421":    ("waits",    "waits",       "waits",    "waits",       "waits"),
    "450":    ("waits",    "waits",       "withheld", "waits",       "withheld"),
    "451":    ("waits",    "waits",       "withheld", "waits",       "withheld"),
    "452":    ("waits",    "waits",       "withheld", "waits",       "withheld"),
    "550":    ("waits",    "held message", "refused", "held message", "held message"),
    "552":    ("waits",    "held message", "withheld", "held message", "held message"),
    "554":    ("waits",    "held message", "refused", "held message", "held message"),
    # Enhanced codes: 1 and 2 are this address's, 3 the server's own trouble, 5 and 7 ours.
    "550 5.1.1": ("waits", "held message", "refused", "refused",     "refused"),
    "552 5.2.2": ("waits", "held message", "refused", "refused",     "refused"),
    "452 4.2.2": ("waits", "waits",       "refused",  "refused",     "refused"),
    "552 5.3.4": ("waits", "held message", "held message", "held message", "held message"),
    "550 5.5.0": ("waits", "held message", "refused", "held message", "held message"),
    "503 5.5.1": ("waits", "held channel", "held channel", "held channel", "held channel"),
    "550 5.7.1": ("waits", "held message", "held message", "held message", "held message"),
    "554 5.7.1": ("waits", "held message", "held message", "held message", "held message"),
    "450 4.2.1": ("waits", "waits",       "withheld", "withheld",    "withheld"),
    "451 4.3.0": ("waits", "waits",       "waits",    "waits",       "waits"),
    "451 4.7.0": ("waits", "later",       "later",    "later",       "later"),
    "421 4.7.0": ("waits", "waits",       "waits",    "waits",       "waits"),
    "421 4.7.28": ("waits", "waits",      "waits",    "waits",       "waits"),
}
STAGES = ("greeting", "mail", "rcpt", "data", "dot")
HALF_REPLY = "25"
LONG = "x" * 100000

OTHERS = [
    ("kind first", {}, "told"),
    ("closes as we connect", {"drop": "connect"}, "waits"),
    ("refuses connections", {"closed": True}, "waits"),
    ("says nothing", {"hang": "greeting"}, "waits"),
    ("hangs at ehlo", {"hang": "ehlo"}, "waits"),
    ("hangs at starttls", {"tls": "good", "hang": "starttls"}, "waits"),
    ("hangs in the handshake", {"tls": "good", "hang": "handshake"}, "waits"),
    ("hangs in the handshake at once", {"hang": "greeting", "tls_at_once": True}, "never"),
    ("hangs at auth", {"log_in": True, "auth": ["PLAIN"], "users": {"arena": "secret"}, "hang": "auth_reply"}, "waits"),
    ("hangs at mail", {"hang": "mail"}, "waits"),
    ("hangs at rcpt", {"hang": "rcpt"}, "waits"),
    ("hangs at data", {"hang": "data"}, "waits"),
    ("hangs in the body", {"hang": "body"}, "doubt"),
    ("hangs at the dot", {"hang": "dot"}, "doubt"),
    ("hangs at the dot without pipelining", {"hang": "dot", "no_pipelining": True}, "doubt"),
    ("closes at mail", {"drop": "mail"}, "waits"),
    ("closes at rcpt", {"drop": "rcpt"}, "waits"),
    ("closes at data", {"drop": "data"}, "waits"),
    ("closes behind data, stored", {"drop": "dot_stored"}, "doubt"),
    ("closes behind data, not stored", {"drop": "dot_unstored"}, "doubt"),
    ("closes behind its answer", {"drop": "dot_answered"}, "told"),
    ("resets at data", {"drop": "data", "reset": True}, "waits"),
    ("resets behind data, stored", {"drop": "dot_stored", "reset": True}, "doubt"),
    ("resets behind its answer", {"drop": "dot_answered", "reset": True}, "told"),
    ("refuses ehlo", {"ehlo": "550 5.7.1 not today"}, "told"),  # HELO it is
    ("goes at ehlo", {"ehlo": "421 4.3.2 not today"}, "waits"),
    ("greets with garbage", {"raw": {"greeting": "hello\r\n"}}, "waits"),
    ("greets with NUL", {"raw": {"greeting": "220 \0\0\0 welcome\r\n\0\0"}}, "waits"),
    ("greets with a line without end", {"raw": {"greeting": "220 " + LONG}}, "waits"),
    ("greets without end", {"endless": "greeting"}, "waits"),
    ("greets as if it were HTTP", {"raw": {"greeting": "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"}}, "waits"),
    ("offers without end", {"endless": "ehlo"}, "waits"),
    ("garbage at mail", {"raw": {"mail": "what?\r\n"}}, "waits"),
    ("garbage at rcpt", {"raw": {"rcpt": "\0\1\2\3\r\n"}}, "waits"),
    ("garbage at data", {"raw": {"data": "354\1go on\r\n"}}, "waits"),
    ("garbage at the dot", {"raw": {"dot": "hello there\r\n"}}, "doubt"),
    ("NUL at the dot", {"raw": {"dot": "250 o\0k\r\n"}}, "doubt"),
    ("a line without end at the dot", {"raw": {"dot": "250 " + LONG}}, "doubt"),
    ("half a reply at the dot", {"raw": {"dot": HALF_REPLY}}, "doubt"),
    ("a reply without end at the dot", {"endless": "dot"}, "doubt"),
    ("a word that is not yes at the dot", {"raw": {"dot": "251 I shall forward it\r\n"}}, "doubt"),
    ("bare line feeds", {"raw": {"dot": "250-2.0.0 yes\n250 2.0.0 ok\n", "mail": "250 2.1.0 ok\n"}}, "told"),
    ("a very long line", {"raw": {"dot": "250 2.0.0 " + "y" * 5000 + "\r\n"}}, "told"),
    ("answers twice", {"raw": {"dot": "250 2.0.0 ok\r\n250 2.0.0 ok\r\n"}}, "told"),
    ("answers before the message came", {"raw": {"data": "354 go on\r\n250 2.0.0 ok\r\n"}}, "waits"),
    ("lower case, byte by byte", {"lower_case": True, "split": True}, "told"),
    ("STARTTLS, byte by byte", {"split": True, "tls": "good"}, "told"),
    ("offers starttls", {"lower_case": True, "tls": "good"}, "never"),  # libcurl 7.88 knows it in capitals only
    ("offers no STARTTLS", {"tls": "good", "no_starttls": True}, "waits"),
    ("refuses STARTTLS", {"tls": "good", "starttls": "454 4.7.0 TLS not available"}, "waits"),
    ("refuses STARTTLS for ever", {"tls": "good", "starttls": "502 5.5.1 no such command"}, "waits"),
    ("speaks garbage instead of TLS", {"tls": "good", "raw": {"starttls": "220 go on\r\nno TLS at all, sorry\r\n"}}, "waits"),
    ("a certificate of another name", {"tls": "other"}, "never"),
    ("a certificate of yesterday", {"tls": "expired"}, "never"),
    ("a certificate of nobody", {"tls": "nobody"}, "never"),
    ("offers no log-in", {"log_in": True}, "held channel"),
    ("log-in refused for now", {"log_in": True, "auth": ["PLAIN"], "auth_reply": "454 4.7.0 later", "users": {"arena": "secret"}},
     "waits"),
    ("log-in refused", {"log_in": True, "auth": ["LOGIN"], "users": {"arena": "another"}}, "held channel"),
    ("log-in wanted", {"require_auth": True}, "held channel"),
    ("two a connection", {"messages_per_connection": 2}, "told"),
    ("goes without being asked", {"unsolicited": 7}, "told"),
    ("impatient", {"impatient": 0.7}, "told"),
    ("closes behind data, repeated", {"drop": "dot_stored", "people": 1, "rule": {"in_doubt": "repeat"}}, "repeated"),
    ("hangs at the dot, repeated", {"hang": "dot", "people": 1, "rule": {"in_doubt": "repeat"}}, "repeated"),
    ("550 5.1.1 to a crowd", {"rcpt": "550 5.1.1 no such user", "people": 60}, "braked"),
    ("451 to a crowd", {"dot": "451 local error in processing", "people": 60}, "braked"),
    ("450 4.2.1 to a crowd", {"rcpt": "450 4.2.1 too fast", "people": 60}, "braked"),
    ("kind last", {}, "told"),
]


def crowd(row):
    return row[1].get("people", PEOPLE)


def everybody(people):
    return ["p%d@example.org" % n for n in range(people)]


def table():
    rows = list(OTHERS[:1])
    for reply, words in CODES.items():
        for stage, word in zip(STAGES, words):
            if stage != "greeting" or reply in ("421", "450", "550", "554", "554 5.7.1", "421 4.7.0"):
                rows.append(("%s at %s" % (reply, stage), {stage: reply + " so it is"}, word))
    return rows + OTHERS[1:]


# --- The servers and the daemon

SIGNED = (("good", "IP:127.0.0.1", "2"), ("other", "DNS:mail.elsewhere.example", "2"), ("expired", "IP:127.0.0.1", "-1"))
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
OURS = ("tls", "log_in", "tls_at_once", "rule", "people")  # what in a row is not for the server


def certificates(launch):
    """One authority, and what it signed: for this machine, for another name, until yesterday. And one of nobody."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=launch.folder, check=True, capture_output=True)

    openssl("req", "-x509", *NEW_KEY, "-days", "2", "-subj", "/CN=Authority", "-keyout", "ca.key", "-out", "ca.pem")
    for name, host, days in SIGNED:
        launch.write("host", "subjectAltName=" + host)
        openssl("req", *NEW_KEY, "-subj", "/CN=Mail", "-keyout", name + ".key", "-out", "request")
        openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days,
                "-extfile", "host", "-out", name + ".pem")
    openssl("req", "-x509", *NEW_KEY, "-days", "2", "-subj", "/CN=Nobody", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", "nobody.key", "-out", "nobody.pem")


def server(launch, how):
    behaviour = {key: value for key, value in how.items() if key not in OURS} | {"answers": True}
    if how.get("tls"):
        behaviour.update(cert=launch.path(how["tls"] + ".pem"), key=launch.path(how["tls"] + ".key"))
    return behaviour


def servers(rows):
    def make(launch):
        certificates(launch)
        return {name: server(launch, how) for name, how, _ in rows}
    return make


def notifier(number, how, port):
    one = {"name": "n%d" % number, "plugin": "smtp", "from": "Arena Tickets <tickets@arena.example>", "connections": 2,
           "url": "%s://127.0.0.1:%d" % ("smtps" if how.get("tls_at_once") else "smtp", port),
           "connect_timeout": "1500ms", "command_timeout": "1500ms", "answer_timeout": "1500ms", "keep_alive": "5s"}
    one.update({"ca_file": "ca.pem"} if how.get("tls") or how.get("tls_at_once") else {"tls": "off"})
    if how.get("log_in"):
        one.update(username="arena", password_file="smtp.password")
    return one


class Many(Launch):
    """A daemon with a notifier and a rule for each row."""

    def __init__(self, rows):
        super().__init__(opens_in=9, people=1, definitions=1, events=1, many=servers(rows))
        self.rows = rows
        self.write("smtp.password", "secret\n")
        crowds = {crowd(row) for row in rows}
        for people in crowds:
            self.write("%d.csv" % people, "email,status\n" + "".join(address + ",subscribed\n" for address in everybody(people)))
        self.site["poll_every"] = "2s"
        self.config["audiences"] = [{"name": str(people), "source": "file", "path": "%d.csv" % people} for people in crowds]
        self.config["notifiers"] = [notifier(i, how, self.sink.many[name])
                                    for i, (name, how, _) in enumerate(rows)]
        retry = {"attempts": ATTEMPTS, "first": "100ms", "cap": "300ms"}
        self.config["rules"] = [dict(self.rule, name="r%d" % i, audiences=[str(crowd(row))], notify=["n%d" % i], retry=retry,
                                     **row[1].get("rule", {})) for i, row in enumerate(rows)]

    def all_notices(self):
        """By the number of the row."""
        at = moment(self.opens_at_ms)
        return {int(one["rule"][1:]): one for one in self.ask("notices") if one["event_id"] == EVENT and one["opens_at"] == at}

    def log_of(self, name, result):
        return [line for line in self.lines if line["sink"] == name and line["result"] == result]

    def read_log(self):
        self.lines = self.mails(None)


# --- The judgement

def tried(launch, number, counts):
    """Anybody twice, or the server was reached for again."""
    if launch.rows[number][1].get("closed"):
        return "event=channel_trouble notifier=n%d " % number in launch.log_since()
    return counts["connections"] >= 3 or max(counts["to"].values(), default=0) >= 2


def during(launch, number, notice, counts):
    """What is wrong with it while the server is bad; None: nothing, and it may be mended."""
    word, said, state = launch.rows[number][2], notice["counts"], notice["state"]
    reason = (notice["reason"] or "") if state == "held" else ""
    settled = {"told": "accepted", "refused": "refused", "withheld": "withheld", "doubt": "in_doubt",
               "repeated": "in_doubt"}.get(word)
    if settled:
        return None if state == "done" and said[settled] == said["planned"] else "expected done and all %s" % settled
    if word == "braked":
        charged = said["refused"] + said["withheld"]
        return None if (state, reason) == ("held", "message") and BRAKE <= charged < 2 * BRAKE else "expected the brake"
    if said["waiting"] != said["planned"]:
        return "somebody was charged"
    if word.startswith("held"):
        return None if state == "held" and reason == word[len("held "):] else "expected " + word
    if state != "sending":
        return "expected it to go on trying"
    return None if word == "later" or tried(launch, number, counts) else "not tried again"


def judge(launch, row, notice):
    """The server's log against the commands, in the end."""
    name, _, word = row
    copies = [line["to"] for line in launch.log_of(name, "taken")]
    yes = {line["to"] for line in launch.log_of(name, "answered") if line["code"] == 250}
    dots = {line["to"] for result in ("taken", "dropped", "refused", "unanswered") for line in launch.log_of(name, result)}
    answered = {line["to"] for line in launch.log_of(name, "answered") if line["code"] == 250 or line["code"] >= 400}
    by_state = {}
    for person in launch.ask("people", notice["id"]):
        by_state.setdefault(person["state"].replace(" ", "_"), set()).add(person["address"])
    most = {copies.count(address) for address in set(copies)}
    check(most <= {ATTEMPTS if word == "repeated" else 1}, "%s: somebody got %s", name, most)
    check(by_state.get("accepted", set()) == yes, "%s: listed as accepted %s, the server said 250 to %s", name,
          sorted(by_state.get("accepted", ())), sorted(yes))
    check(by_state.get("in_doubt", set()) == dots - answered, "%s: listed as in doubt %s, not answered were %s", name,
          sorted(by_state.get("in_doubt", ())), sorted(dots - answered))
    end = {"refused": "refused", "withheld": "withheld", "doubt": "in_doubt", "repeated": "in_doubt",
           "later": "waiting", "never": "waiting"}
    check(by_state == {end.get(word, "accepted"): set(everybody(crowd(row)))}, "%s: expected %s, it is %s", name, word,
          {state: len(some) for state, some in by_state.items()})
    check({state: count for state, count in notice["counts"].items() if count and state != "planned"} ==
          {state: len(some) for state, some in by_state.items()}, "%s: counts %s", name, notice["counts"])


def mend(launch, number, notice):
    name, how, word = launch.rows[number]
    if word == "never" or word == "later":
        return
    launch.sink.behave(of=name, answers=True, **({"auth": ["PLAIN"], "users": {"arena": "secret"}} if how.get("log_in") else {}))
    if word == "braked":
        launch.onsale("retry", notice["id"], *(("--refused", 550) if notice["counts"]["refused"] else ("--withheld", "attempts")))
    if word == "braked" or word.startswith("held"):
        launch.onsale("release", notice["id"])


def until_mended(launch):
    """Each server is mended when it has done what it can."""
    bad, wrong = set(range(len(launch.rows))), {}

    def look():
        for number, notice in launch.all_notices().items():
            name = launch.rows[number][0]
            if number in bad:
                wrong[number] = (name, during(launch, number, notice, launch.sink.behave(of=name, op="counts")), notice["state"],
                                 notice["reason"], notice["counts"])
                if wrong[number][1] is None:
                    mend(launch, number, notice)
                    bad.discard(number)
        return not bad
    try:
        launch.until(look, "every server to have had its way", 90)
    except Failed as failed:
        raise Failed("%s: %s" % (failed, "\n".join(str(wrong.get(number)) for number in sorted(bad)))) from None


def nobody_kept_waiting(launch):
    """The kind ones had told everybody before the first client lost its patience with one that hangs in mid-mail."""
    patience = [line["time"] for line in launch.lines if line["result"] == "left" and line["code"] in ("mail", "rcpt", "data")]
    last = max(line["time"] for name in ("kind first", "kind last") for line in launch.log_of(name, "taken"))
    check(patience and last < min(patience), "the kind servers were kept waiting for %d ms", last - min(patience))


def all_of_them():
    rows = table()
    with Many(rows) as launch:
        launch.run()
        until_mended(launch)
        final = {"later": "sending", "never": "sending"}

        def ended():
            notices = launch.all_notices()
            return all(notices[i]["state"] == final.get(word, "done") for i, (_, _, word) in enumerate(rows)) and notices
        notices = launch.until(ended, "everything to go on", 60)
        launch.read_log()
        for number, row in enumerate(rows):
            judge(launch, row, notices[number])
        nobody_kept_waiting(launch)
        launch.audit()


if __name__ == "__main__":
    tell([all_of_them])
