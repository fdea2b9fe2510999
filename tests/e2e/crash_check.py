"""What a launch came to, judged from outside: the mail server's log against the ledger's bare tables, read with sqlite3. It
shares no code with the daemon and knows its tables only from scheduler/store/sqlite_schema.c."""
import collections
import json
import sqlite3

from crash_world import NOTICE_DONE, check

ACCEPTED, TRY_LATER, REFUSED, IN_DOUBT, RETURNED, PASSED_ON, WITHHELD = range(1, 8)  # enum fate in delivery.h
LEFT, OPTED_OUT = 2, 3  # enum withheld
WITHDRAWN = 7  # enum notice_state


class Ledger:
    """Everything the state file says about the one notice in it."""

    def __init__(self, path):
        state = sqlite3.connect(path)
        ask = lambda sql, *values: state.execute(sql, values).fetchall()
        notices = ask("SELECT id, roll, state, due_at, rest, reason FROM notice")
        check(len(notices) == 1, "%d notices where one was expected", len(notices))
        self.notice, self.roll, self.state, self.due_at_ms, self.rest, self.reason = notices[0]
        self.people = dict(ask("SELECT seq, address FROM person WHERE roll = ?", self.roll))
        self.last_seq = ask("SELECT last_seq FROM roll WHERE id = ?", self.roll)[0][0]
        self.fates = collections.defaultdict(list)
        for seq, _, fate, withheld, attempt in ask(
                "SELECT seq, step, fate, withheld, attempt FROM fate WHERE notice = ? ORDER BY seq, step", self.notice):
            self.fates[seq].append((fate, withheld, attempt))
        self.flight = ask("SELECT seq FROM flight WHERE notice = ?", self.notice)
        self.again = ask("SELECT seq FROM again WHERE notice = ?", self.notice)
        self.counters = ask("SELECT sum(live), sum(accepted), sum(refused), sum(in_doubt), sum(withheld)"
                            " FROM counter WHERE notice = ?", self.notice)[0]
        check(ask("PRAGMA integrity_check") == [("ok",)], "the state file is damaged")
        state.close()

    def addresses(self, *which):
        """Of those whose last fate is one of these."""
        return {self.people[seq] for seq, fates in self.fates.items() if fates[-1][0] in which}


def _some(addresses):
    return "%d: %s" % (len(addresses), ", ".join(sorted(addresses)[:5]))


def agree_with_reports(crash, ledger, doubts):
    counted = collections.Counter(fates[-1][0] for fates in ledger.fates.values())
    check(ledger.counters == (0, counted[ACCEPTED], counted[REFUSED], counted[IN_DOUBT], counted[WITHHELD]),
          "counters say %s, the fates %s", ledger.counters, dict(counted))
    audit = crash.onsale("audit", "--json")
    check(audit.returncode == 0, "audit: exit %d: %s", audit.returncode, (audit.stderr + audit.stdout)[-2000:])
    shown = crash.onsale("show", str(ledger.notice), "--json")
    check(shown.returncode == 0, "show: %s", shown.stderr)
    counts = json.loads(shown.stdout)["counts"]
    check(counts["planned"] == counts["waiting"] + counts["accepted"] + counts["refused"] + counts["in_doubt"]
          + counts["withheld"], "show does not sum up: %s", counts)
    check(counts["planned"] == ledger.last_seq and counts["in_doubt"] == len(doubts) and counts["waiting"] == 0,
          "show says %s of %d people, %d in doubt", counts, ledger.last_seq, len(doubts))
    listed = crash.onsale("people", str(ledger.notice), "--json")
    check(listed.returncode == 0, "people: %s", listed.stderr)
    people = json.loads(listed.stdout)
    check(len(people) == ledger.last_seq, "people lists %d of %d", len(people), ledger.last_seq)
    named = {person["address"] for person in people if person["state"].replace(" ", "_") == "in_doubt"}
    check(named == doubts, "people names other doubts: %s", _some(named ^ doubts))


def judge_repeats(crash, ledger, mails, got):
    """Who got it again was in doubt each time before, there are no more of them than were in hand at the kills, and all copies
    of one person's have one Message-ID, by which a receiver knows them."""
    attempts = {ledger.people[seq]: sum(fate in (ACCEPTED, TRY_LATER) for fate, _, _ in fates)
                for seq, fates in ledger.fates.items()}
    unknown = {address for address, count in got.items() if count > attempts.get(address, 0)}
    check(not unknown, "got more than the ledger knows of, %s", _some(unknown))
    again = sum(got.values()) - len(got)
    check(again <= crash.kills * crash.doubt_max, "%d were repeated, at most %d may be", again, crash.kills * crash.doubt_max)
    check(len({(mail["to"], mail["message_id"]) for mail in mails}) == len(got), "copies have different Message-IDs")
    return again


def judge_mails(crash, ledger):
    """Nobody twice, nobody early, nobody without the ledger knowing. Who got one."""
    mails = crash.mails()
    got = collections.Counter(mail["to"] for mail in mails)
    twice = {address for address, count in got.items() if count > 1}
    if crash.in_doubt == "repeat":
        judge_repeats(crash, ledger, mails, got)
        mails = list({mail["to"]: mail for mail in reversed(mails)}.values())  # the first of each
    else:
        check(not twice, "told twice, %s", _some(twice))
    early = [ledger.due_at_ms - mail["time"] for mail in mails if mail["time"] < ledger.due_at_ms]
    check(not early, "%d mails came early, by up to %d ms", len(early), max(early, default=0))
    check(len({mail["message_id"] for mail in mails}) == len(mails), "two mails share a Message-ID")
    known = ledger.addresses(ACCEPTED, IN_DOUBT)
    check(set(got) <= known, "got one, and the ledger does not know: %s", _some(set(got) - known))
    accepted = ledger.addresses(ACCEPTED)
    check(accepted <= set(got), "accepted by the ledger, never got: %s", _some(accepted - set(got)))
    check(set(got) <= crash.eligible, "not to be told: %s", _some(set(got) - crash.eligible))
    return set(got)


def judge(crash, doubt_most=None):
    """After a notice is done: none lost, at most one, doubt bounded, and every report says so. How many are in doubt."""
    ledger = Ledger(crash.path("onsale.db"))
    check(ledger.state == NOTICE_DONE, "the notice is in state %d, not done", ledger.state)
    got = judge_mails(crash, ledger)
    check(not ledger.flight and not ledger.again, "done, and %d are in somebody's hands, %d wait for another attempt",
          len(ledger.flight), len(ledger.again))
    unsettled = {ledger.people[seq] for seq in ledger.people if not ledger.fates[seq]
                 or ledger.fates[seq][-1][0] not in (ACCEPTED, REFUSED, IN_DOUBT, WITHHELD)}
    check(not unsettled, "lost, without a last fate: %s", _some(unsettled))
    settled = ledger.addresses(ACCEPTED, REFUSED, IN_DOUBT)
    check(crash.eligible <= settled, "lost, may be told and have no fate that says so: %s",
          _some(crash.eligible - settled))
    refused = ledger.addresses(REFUSED)
    check(not refused & got, "refused, and got one: %s", _some(refused & got))
    check(all("77@" in address for address in refused), "refused by nobody: %s", _some(refused))
    reasons = {fates[-1][1] for fates in ledger.fates.values() if fates[-1][0] == WITHHELD}
    check(reasons <= {LEFT, OPTED_OUT}, "withheld for reasons %s", reasons)
    doubts = ledger.addresses(IN_DOUBT)
    most = crash.kills * crash.doubt_max if doubt_most is None else doubt_most
    check(len(doubts) <= most, "%d in doubt, at most %d may be", len(doubts), most)
    agree_with_reports(crash, ledger, doubts)
    return len(doubts)
