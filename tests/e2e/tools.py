#!/usr/bin/env python3
"""Many marketing tools, each failing in its own way, one launch: while people are gathered, when they are read a second time, and
from right before the opening on. Each has an audience, a rule, a notifier and a mail server of its own in one daemon.

Whatever happens, nobody is written to whom the tool does not list, and never half of those whom it lists. A row of the table: a
name, whether SQL is used, when the trouble begins and with what, and what must come of it:
  told      it passes, or there is a complete reading that is young enough: all are told, once
  held      nobody is told; held for consent until the tool is mended, then all are told, once
"""
from launch import EVENT, Fake, Failed, Launch, check, moment, tell

EVER = 1000000  # pages
PEOPLE = 260    # of whom 220 or so are on the list: three pages


def fault(kind, on=1, times=1, **more):
    return {"faults": [dict(more, kind=kind, on=on, times=times)]}


AT_GATHERING = [
    ("500 twice", True, fault("500", times=2), "told"),
    ("500", True, fault("500", times=EVER), "held"),
    ("500 from the second page on", False, fault("500", on=2, times=EVER), "held"),
    ("429, seconds", True, fault("429", on=2, retry_after=1), "told"),
    ("429, a date", True, fault("429", on=2, retry_after="+2"), "told"),
    ("429, an hour", True, fault("429", times=EVER, retry_after=3600), "held"),
    ("401", True, fault("401", times=EVER), "held"),
    ("cut in the middle once", True, fault("truncated", on=2), "told"),
    ("cut in the middle", True, fault("truncated", on=2, times=EVER), "held"),
    ("shorter than it says", True, fault("short", on=3, times=EVER), "held"),
    ("reset twice", False, fault("reset", on=2, times=2), "told"),
    ("reset", True, fault("reset", times=EVER), "held"),
    ("HTML", True, fault("html", times=EVER), "held"),
    ("slow", True, fault("slow", times=EVER), "held"),
    ("a page is empty once", True, fault("empty", on=2), "told"),
    ("a page is empty", True, fault("empty", on=2, times=EVER), "held"),
    ("windows are empty", False, fault("empty", on=2, times=EVER), "held"),
    ("half a page", True, fault("halved", on=2, times=EVER), "held"),
    ("half a window", False, fault("halved", on=2, times=EVER), "held"),
    ("half of the first window once", False, fault("halved"), "told"),
    ("a page again", True, fault("again", on=2), "told"),
    ("a window again", False, fault("again", on=2), "told"),
    ("everybody twice", False, fault("doubled", on=3), "told"),
    ("the total drifts for a while", True, fault("drifting", times=2), "told"),
]
LATER = [
    ("500", True, fault("500", times=EVER)),
    ("500 behind the first window", False, fault("500", on=2, times=EVER)),
    ("401", False, fault("401", times=EVER)),
    ("cut in the middle", False, fault("truncated", on=2, times=EVER)),
    ("reset", True, fault("reset", times=EVER)),
    ("slow", True, fault("slow", times=EVER)),
    ("windows are empty", False, fault("empty", on=2, times=EVER)),
    ("half a window", False, fault("halved", on=2, times=EVER)),
    ("half a page", True, fault("halved", times=EVER)),
]
ROWS = [("gathering", *row) for row in AT_GATHERING] + [("second reading", *row, "told") for row in LATER]
ROWS += [("T", *row, "told") for row in LATER if row[1] and row[0] != "half a page"]
# ... the change feed: there is none without SQL, and of no changes there is no half.


class Many(Launch):
    def __init__(self, rows):
        names = ["%s: %s" % (row[0], row[1]) for row in rows]
        super().__init__(opens_in=24, people=1, definitions=1, events=1, many=lambda launch: {name: {} for name in names})
        self.rows, self.names = rows, names
        self.tools = [Fake(self.folder, "listmonk", "--people", PEOPLE) for _ in rows]
        self.site["poll_every"] = "5s"
        own = range(len(rows))
        self.config["audiences"] = [
            dict(self.fans, name="a%d" % i, url="http://127.0.0.1:%d" % self.tools[i].port, sql=rows[i][2], page_size=100,
                 timeout="1s") for i in own]
        self.config["notifiers"] = [dict(self.mail, name="n%d" % i, url="smtp://127.0.0.1:%d" % self.sink.many[names[i]])
                                    for i in own]
        self.config["rules"] = [dict(self.rule, name="r%d" % i, audiences=["a%d" % i], notify=["n%d" % i], gather_ahead="22s")
                                for i in own]

    def clear(self, failed):
        for tool in self.tools:
            tool.stop()
        super().clear(failed)

    def trouble(self, when):
        for tool, row in zip(self.tools, self.rows):
            if row[0] == when:
                tool.control(row[3])

    def each(self):
        at = moment(self.opens_at_ms)
        found = {int(one["rule"][1:]): one for one in self.ask("notices") if one["event_id"] == EVENT and one["opens_at"] == at}
        return [found.get(i) for i in range(len(self.rows))]

    def each_is(self, wanted, what, timeout):
        """`wanted`: for a row and its notice, whether it is as it should be."""
        wrong = []

        def there():
            wrong[:] = [(name, one and (one["state"], one["reason"], one["counts"]))
                        for name, row, one in zip(self.names, self.rows, self.each()) if not (one and wanted(row, one))]
            return not wrong
        try:
            self.until(there, what, timeout)
        except Failed as failed:
            raise Failed("%s: %s" % (failed, "\n".join(map(str, wrong)))) from None


def judge(launch, name, tool, notice):
    eligible = {who for who, consent in tool.get("/_people?list=7&interest=events").items() if consent == 0}
    got = [mail["to"] for mail in launch.mails() if mail["sink"] == name]
    check(len(got) == len(set(got)), "%s: somebody got two", name)
    check(set(got) == eligible, "%s: %d of %d are missing, %d should not have been told", name, len(eligible - set(got)),
          len(eligible), len(set(got) - eligible))
    people = {person["address"]: person["state"] for person in launch.ask("people", notice["id"])}
    check({who for who, state in people.items() if state == "accepted"} == eligible, "%s: the ledger says otherwise", name)
    check(notice["counts"]["accepted"] == notice["counts"]["planned"] == len(eligible), "%s: %s", name, notice["counts"])


def all_of_them():
    with Many(ROWS) as launch:
        launch.trouble("gathering")
        launch.run()
        launch.each_is(lambda row, one: one["state"] == "ready" or row[0] == "gathering", "the others to be gathered", 12)
        launch.trouble("second reading")
        launch.sleep_until(-4)  # the change feed is asked 3 s before the opening
        launch.trouble("T")
        launch.each_is(lambda row, one: (one["state"], one["reason"]) == ("held", "consent") if row[4] == "held"
                       else one["state"] == "done", "each to come to its end", 60)
        log = launch.log_since()
        for number, (name, row) in enumerate(zip(launch.names, launch.rows)):
            check(row[0] == "gathering" or 'error="audience a%d:' % number in log, "%s: nobody noticed", name)
        check({mail["sink"] for mail in launch.mails(None)} ==
              {name for name, row in zip(launch.names, launch.rows) if row[4] == "told"}, "somebody held was told")
        for number, (row, notice) in enumerate(zip(launch.rows, launch.each())):
            if row[4] == "held":
                text = launch.ask("show", notice["id"])["reason_text"] or ""
                check("a%d" % number in text, "%s: it does not say which audience: %s", launch.names[number], text)
                launch.tools[number].control({"mended": True})
        launch.each_is(lambda row, one: one["state"] == "done", "everything to go on", 60)
        for name, tool, notice in zip(launch.names, launch.tools, launch.each()):
            judge(launch, name, tool, notice)
        launch.audit()


if __name__ == "__main__":
    tell([all_of_them])
