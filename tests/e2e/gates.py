#!/usr/bin/env python3
"""Many shops, each going bad in its own way right before its sale opens, one daemon. Nobody polls any more: the gate has to find out.

A row of the table: a name, what the shop does from T - 1.5 s on, the rule's patience, and what must come of it:
  told MS   all are told, once, and not before T + MS (by our clock)
  held      held as unverified when patience ends, nobody is told; the shop is mended, an operator releases it, all are told
  stays     the same, but the shop is not asked again before the time it said, whatever an operator says
  waits MS  nobody is told while it is bad; it is mended at T + MS, and all are told without a word of anybody
Never does a shop's fault look like a change of its sale, and no shop keeps another one's people waiting.
"""
from launch import EVENT, Fake, Failed, Launch, check, moment, moment_ms, now_ms, tell
import wix_world

EVER = -1
PEOPLE = ["p%d@example.org" % n for n in range(6)]
SHORT = {"wait": "3s", "then": "hold"}
LONG = {"wait": "15m", "then": "drop"}
ERROR = {"message": "Something went wrong", "details": {"applicationError": {"code": "INTERNAL", "description": "sorry"}}}


def fault(kind, count=EVER, **more):
    return {"do": "fault", "kind": kind, "count": count, **more}


ROWS = [
    ("fine", None, SHORT, "told", 0),
    ("429, seconds", fault("status", 2, status=429, retry_after=2), LONG, "told", 1500),
    ("429, a date", fault("status", 2, status=429, retry_after="+3"), LONG, "told", 1000),
    ("429, an hour", fault("status", status=429, retry_after=3600), SHORT, "stays", 0),
    ("429 without a word", fault("status", status=429), SHORT, "held", 0),
    ("500", fault("status", status=500), SHORT, "held", 0),
    ("503 for a while", fault("status", status=503, html=True), LONG, "waits", 3000),
    ("401", fault("status", status=401), SHORT, "held", 0),
    ("403", fault("status", status=403), SHORT, "held", 0),
    ("400", fault("status", status=400), SHORT, "held", 0),
    ("404 of a proxy", fault("status", status=404, html=True), SHORT, "held", 0),
    ("404 without a body that says so", fault("status", status=404), SHORT, "held", 0),
    ("404, no such site", fault("meta-site"), SHORT, "held", 0),
    ("200 with an error in it", fault("status", status=200, body=ERROR), SHORT, "held", 0),
    ("200 with nothing in it", fault("empty"), SHORT, "held", 0),
    ("200 with a list in it", fault("array"), SHORT, "held", 0),
    ("200 with no definition in it", fault("status", status=200, body={}), SHORT, "held", 0),
    ("200 with null", fault("status", status=200, body=None), SHORT, "held", 0),
    ("200 with a page of a portal", fault("html"), SHORT, "held", 0),
    ("200 with half the JSON", fault("truncate"), SHORT, "held", 0),
    ("200 with half the body", fault("cut"), SHORT, "held", 0),
    ("200 with far too much", fault("huge"), SHORT, "held", 0),
    ("a redirect", fault("redirect"), SHORT, "held", 0),
    ("reset", fault("reset"), SHORT, "held", 0),
    ("reset for a while", fault("reset"), LONG, "waits", 3000),
    ("hangs", fault("silent", ms=20000), SHORT, "held", 0),
    ("hangs for a while", fault("silent", ms=20000), LONG, "waits", 3000),
    ("slow, byte by byte", fault("drip", ms=500), SHORT, "held", 0),
    ("slow, but there", fault("slow", ms=700), SHORT, "told", 0),
    ("gone", "stop", SHORT, "held", 0),
    ("gone for a while", "stop", LONG, "waits", 3000),
    ("its clock is 5 s behind ours", {"do": "clock", "offset_ms": -5000}, LONG, "told", 4000),
    ("its clock is 5 s ahead of ours", {"do": "clock", "offset_ms": 5000}, SHORT, "told", 0),
    ("its clock is an hour ahead of ours", {"do": "clock", "offset_ms": 3600000}, SHORT, "told", 0),
    ("a Date that is none", {"do": "date", "text": "yesterday"}, SHORT, "told", 0),
    ("a Date of 1970 for a while", {"do": "date", "text": "Thu, 01 Jan 1970 00:00:00 GMT"}, LONG, "waits", 3000),
    ("a clock an hour behind for a while", {"do": "clock", "offset_ms": -3600000}, LONG, "waits", 3000),
]


class Shops(Launch):
    def __init__(self):
        super().__init__(opens_in=11, people=1, definitions=1, events=1, many=lambda launch: {row[0]: {} for row in ROWS})
        self.shops = [Fake(self.folder, "wix", "--per-minute", 0) for _ in ROWS]
        self.write("six.csv", "email,status\n" + "".join(who + ",subscribed\n" for who in PEOPLE))
        own = range(len(ROWS))
        self.config["sites"] = [dict(self.site, name="s%d" % i, base_url="http://127.0.0.1:%d" % self.shops[i].port,
                                     poll_every="1h", timeout="1s") for i in own]
        self.config["audiences"] = [{"name": "six", "source": "file", "path": "six.csv"}]
        self.config["notifiers"] = [dict(self.mail, name="n%d" % i, url="smtp://127.0.0.1:%d" % self.sink.many[ROWS[i][0]],
                                         connections=1) for i in own]
        self.config["rules"] = [dict(self.rule, name="r%d" % i, sites=["s%d" % i], audiences=["six"], notify=["n%d" % i],
                                     if_unverified=ROWS[i][2]) for i in own]

    def clear(self, failed):
        for shop in self.shops:
            shop.stop()
        super().clear(failed)

    def open_shops(self):
        """Instead of run(): the same event at each."""
        self.opens_at_ms = now_ms() + self.opens_in * 1000
        world = wix_world.make(1, 1, self.opens_at_ms)
        world[0]["eventId"] = EVENT
        for shop in self.shops:
            shop.control({"do": "set", "definitions": world})
        self.start()

    def each(self):
        at = moment(self.opens_at_ms)
        found = {int(one["rule"][1:]): one for one in self.ask("notices") if one["event_id"] == EVENT and one["opens_at"] == at}
        return [found.get(i) for i in range(len(ROWS))]

    def mend(self, number):
        if ROWS[number][1] == "stop":
            self.shops[number].start()
            self.shops[number].control({"do": "set", "definitions": self.world})
        else:
            self.shops[number].control([{"do": "clear_faults"}, {"do": "clock", "offset_ms": 0}, {"do": "date", "text": None}])

    def each_is(self, wanted, what, timeout):
        wrong = []

        def there():
            wrong[:] = [(row[0], one and (one["state"], one["reason"], one["counts"]))
                        for row, one in zip(ROWS, self.each()) if not (one and wanted(row, one))]
            return not wrong
        try:
            self.until(there, what, timeout)
        except Failed as failed:
            raise Failed("%s: %s" % (failed, "\n".join(map(str, wrong)))) from None

    def told(self, name):
        return [mail for mail in self.mails(None) if mail["sink"] == name]


def judge(launch, row, notice):
    name, least_ms = row[0], row[4]
    mails = launch.told(name)
    check(sorted(mail["to"] for mail in mails) == sorted(PEOPLE), "%s: %d mails", name, len(mails))
    first = min(mail["time"] for mail in mails) - launch.opens_at_ms
    check(first >= least_ms, "%s: the first mail came %d ms after T, and not before %d was right", name, first, least_ms)
    check(notice["counts"]["accepted"] == notice["counts"]["planned"] == len(PEOPLE), "%s: %s", name, notice["counts"])
    states = {person["state"] for person in launch.ask("people", notice["id"])}
    check(states == {"accepted"}, "%s: %s", name, states)
    check(moment_ms(notice["due_at"]) == launch.opens_at_ms, "%s: due at %s", name, notice["due_at"])


def all_of_them():
    with Shops() as launch:
        launch.open_shops()
        launch.each_is(lambda row, one: one["state"] == "ready", "all to be ready", 10)
        launch.world = launch.shops[0].get("/_world")["ticketDefinitions"]
        launch.sleep_until(-1.5)
        for shop, row in zip(launch.shops, ROWS):
            if row[1] == "stop":
                shop.stop()
            elif row[1]:
                shop.control(row[1])
        launch.sleep_until(2.9)
        for row in ROWS:
            check(row[3] == "told" or not launch.told(row[0]), "%s: somebody was told", row[0])
        for number, row in enumerate(ROWS):
            if row[3] == "waits":
                launch.mend(number)
        launch.each_is(lambda row, one: one["state"] == "done" if row[3] not in ("held", "stays") else
                       (one["state"], one["reason"]) == ("held", "unverified"), "each to come to its end", 60)
        for number, (row, notice) in enumerate(zip(ROWS, launch.each())):
            if row[3] in ("held", "stays"):
                check(not launch.told(row[0]), "%s: somebody was told", row[0])
                check(launch.ask("show", notice["id"])["reason_text"], "%s: no text says why", row[0])
                launch.mend(number)
                launch.onsale("release", notice["id"])
        launch.each_is(lambda row, one: one["state"] == ("held" if row[3] == "stays" else "done"), "everything to go on", 60)
        for row, notice in zip(ROWS, launch.each()):
            if row[3] == "stays":
                check(not launch.told(row[0]), "%s: somebody was told", row[0])
            else:
                judge(launch, row, notice)
        waited = min(mail["time"] for row in ROWS if row[3] in ("held", "waits") for mail in launch.told(row[0]))
        check(max(mail["time"] for mail in launch.told("fine")) < waited, "the fine one was kept waiting")
        launch.audit()


if __name__ == "__main__":
    tell([all_of_them])
