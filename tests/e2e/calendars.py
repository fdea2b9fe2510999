#!/usr/bin/python3
"""What calendars get, from feeds and on mails, is what others read: one set of expectations, three readers.

Debian's own Python: the readers are Debian's packages."""
import datetime
import email
import email.policy
import http.client
import json
import os
import random
import re
import subprocess
import zoneinfo

from calendar_judges import attached, expect, judge, judge_all
from launch import BUILD, EVENT, Launch, check, free_port, moment, now_ms, tell, wix_world

HOUR_MS, DAY_MS = 3600000, 86400000
UTC = datetime.timezone.utc
PLACE = "Žalgirio arena, Kaunas; gate 4 \\ north"

# What somebody may call an event, and hours that are hard to say.
NAMES = [
    "Žalgiris – Rytas, final; or \\ not: \"quoted\"",
    "🎟🎭" * 30,
    "מופע סיום העונה – ירושלים, ערב ראשון",
    "حفل موسيقي \u202e reversed \u2066 isolated",
    "First line\r\nEND:VEVENT\r\nBEGIN:VEVENT\nUID:forged\r\nlast line",
    "\\n is no line end, \\\\ are two, \\, and \\;",
    "ü" * 10000,
    "   blanks \t and tabs   ",
    "e\u0301 combined, 👩\u200d👩\u200d👧 joined",
    "BEGIN:VCALENDAR",
    "escape \x1b[31m, bell \x07 and rest",
]
PAGES = {  # of some of them: what is no address is none
    2: "/e/1?a=1,2;b&c=\\n", 3: "/x\r\nATTENDEE:mailto:a@b.example", 5: "/commas,and;more?q=(a)", 6: "/ blank",
}
HOURS = [  # UTC
    "2028-02-29T10:00:00Z", "2027-12-31T23:59:59Z", "2028-01-01T00:00:00Z",
    "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z",  # Vilnius has no 3:00 to 3:59
    "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z",  # ... and 3:30 twice
    "2028-02-28T22:00:00Z",  # midnight there, and the 29th
    "2037-06-30T23:59:59Z", "2099-12-31T22:00:00Z",
]


def seconds(text):
    return int(datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def shown_as(title):
    """What may stand in a calendar: no controls, nothing that turns a line around, blanks as one, 120 characters."""
    plain = re.sub("[\x00-\x20\x7f-\xa0\u2028-\u202e\u2066-\u2069\ufeff]+", " ", title).strip(" ")
    return plain if len(plain) <= 120 else plain[:119].rstrip(" ") + "…"


def hour_in(zone, at_s):
    """As English says it: "3:30"."""
    return datetime.datetime.fromtimestamp(at_s, zoneinfo.ZoneInfo(zone)).strftime("%-I:%M")


# --- A world

def make_event(number, title, start, tickets=1, zone="Europe/Vilnius"):
    rng = random.Random(number)
    start_ms = start if isinstance(start, int) else seconds(start) * 1000
    happening = wix_world.event(rng, number, start_ms)
    happening["details"].update(title=title, location={"name": PLACE, "type": "VENUE", "locationTbd": False})
    happening["details"]["dateAndTimeSettings"].update(timeZoneId=zone)
    return [wix_world.definition(rng, happening, place, start_ms, now_ms() - 30 * DAY_MS) for place in range(tickets)]


def put(launch, items):
    launch.wix.control([{"do": "put", "definition": item} for item in items])


class Calendars(Launch):
    """Somebody reads feeds, and a rule speaks before the moment, with a calendar entry."""

    def __init__(self, ahead="4s", **more):
        super().__init__(people=20, definitions=0, events=1, behaviour={"keep": True}, **more)
        self.port = free_port()
        self.config["http"].update(listen=["unix:onsale.sock", "127.0.0.1:%d" % self.port],
                                   public_url="https://onsale.arena.example")
        self.site["feed"] = {"alarm": "1s"}
        self.rule.update(attach_calendar=True, if_told="send")
        self.soon = dict(self.rule, name="soon", when=ahead + " before sale_start", template="reminder", gather_ahead="2s")
        self.config["rules"].append(self.soon)

    def feed(self, path="arena"):
        """None: there is none, or not yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", "/feeds/%s.ics" % path)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        if answer.status in (404, 503):
            return None
        check(answer.status == 200, "/feeds/%s.ics: %d %s", path, answer.status, raw[:200])
        return raw

    def entries(self, path="arena"):
        """By the first of its definitions; as all readers have them."""
        raw = self.feed(path)
        return {event["definitions"][0]: event for event in judge(raw)["events"]} if raw else {}

    def kept(self, rule):
        """The mails of a rule, by when they were made."""
        template = {"soon": "sale opens on", "on-sale": "on sale now"}[rule]
        with open(self.sink_log, encoding="utf-8") as file:
            raws = [json.loads(line)["raw"].encode() for line in file if line.endswith("\n") and '"taken"' in line]
        return [raw for raw in raws if template in str(email.message_from_bytes(raw, policy=email.policy.default)["Subject"])]

    def preview(self, rule, notice):
        done = subprocess.run([os.path.join(BUILD, "onsale"), "preview", rule, "--notice", str(notice)], timeout=60,
                              env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(done.returncode == 0, "preview %s %d: %s", rule, notice, done.stderr)
        return done.stdout


def shown_page(item):
    """None: it is no address."""
    url = item["eventDetails"]["eventPageUrl"]
    whole = url["base"] + url["path"]
    return None if re.search(r'[\x00-\x20\x7f"<>\\^`{|}]', whole) else whole


def expect_opening(event, items, sequence=0, zone="Europe/Vilnius", alarms=1, **more):
    """What every calendar is to say of these tickets, which open together."""
    item, start = items[0], seconds(items[0]["salePeriod"]["startDate"][:19].rstrip("Z") + "Z")
    title = item["eventDetails"]["title"]
    page = shown_page(item)
    expect(event, sequence=sequence, start=start, end=start + 900, summary="On sale: " + shown_as(title), location=PLACE,
           url=page, categories=["Ticket sale"], status="CONFIRMED", transp="TRANSPARENT",
           definitions=sorted(one["id"] for one in items), alarms=[{"action": "DISPLAY", "before": 1}] * alarms, **more)
    words = event["description"]
    check(hour_in(zone, start) in words and zone in words, "%r does not say %s in %s", words, hour_in(zone, start), zone)
    for one in items:
        check(one["name"] in words, "%r does not name %s", words, one["name"])
    check(page is None or page in words, "%r does not say where", words)


def hung_on(raws):
    """The one event on each of these mails."""
    calendars = judge_all([attached(raw) for raw in raws])
    for calendar in calendars:
        check(calendar["method"] == "PUBLISH" and len(calendar["events"]) == 1, "it holds %s", calendar)
    return [calendar["events"][0] for calendar in calendars]


def html_of(raw):
    return email.message_from_bytes(raw, policy=email.policy.default).get_body(("html",)).get_content()


def dated(raw):
    return int(email.message_from_bytes(raw, policy=email.policy.default)["Date"].datetime.timestamp())


# --- Stories

def hard_names_and_hours():
    """Every name and every hour, in the feed and on the mail that is made of it."""
    with Calendars() as launch:
        world = [make_event(number, name, HOURS[number % len(HOURS)]) for number, name in enumerate(NAMES)]
        for number, path in PAGES.items():
            world[number][0]["eventDetails"]["eventPageUrl"]["path"] = path
        unreadable = make_event(50, "NUL \x00 in it", HOURS[0])  # left out when it is read, alone
        world += [make_event(100 + number, "Night %d" % number, hour, tickets=3) for number, hour in enumerate(HOURS)]
        launch.opens_at_ms = now_ms()
        put(launch, unreadable + [item for items in world for item in items])
        launch.start()
        starts = {items[0]["eventId"]: items for items in world}
        launch.until(lambda: {one["event_id"] for one in launch.ask("notices") if one["rule"] == "soon"} == set(starts),
                     "all notices to be planned")
        planned = [one for one in launch.ask("notices") if one["rule"] == "soon"]
        mails = [launch.preview("soon", one["id"]) for one in planned]
        uids = set()
        for one, raw, event in zip(planned, mails, hung_on(mails)):
            expect_opening(event, starts[one["event_id"]], stamp=dated(raw),
                           organizer={"address": "mailto:help@arena.example", "name": "Arena"})
            uids.add(event["uid"])
        check(len(uids) == len(world), "%d names for %d openings", len(uids), len(world))
        launch.until(lambda: len(launch.entries()) == len(world), "the feed to show all", 100)
        entries = launch.entries()
        for items in world:
            expect_opening(entries[min(one["id"] for one in items)], items, organizer=None)
        check({event["uid"] for event in entries.values()} == uids, "feeds and mails call openings by other names")


def moved_between_two_mails():
    """The later one is the same entry, and newer: also before a minute of quiet has passed."""
    with Calendars() as launch:
        launch.opens_at_ms = now_ms() + 10000
        items = make_event(1, "Moving Night", launch.opens_at_ms, tickets=2)
        for item in items:
            item["eventId"] = EVENT
        put(launch, items)
        launch.start()
        launch.wait("done", rule="soon")
        first = launch.kept("soon")
        check(len(first) == len(launch.eligible()) > 0, "%d mails", len(first))
        before = hung_on(first[:3])
        expect_opening(before[0], items, stamp=dated(first[0]))
        later_ms = now_ms() + 9000
        launch.wix.control([{"do": "move", "id": one["id"], "startDate": moment(later_ms)} for one in items])
        launch.until(lambda: launch.notice(rule="soon", at_ms=later_ms), "the move to be seen")
        launch.wait("done", rule="soon", at_ms=later_ms)
        again = launch.kept("soon")[len(first):]
        after = hung_on(again)[0]
        for item in items:
            item["salePeriod"]["startDate"] = moment(later_ms)
        expect_opening(after, items, sequence=1, uid=before[0]["uid"], stamp=dated(again[0]),
                       description=lambda words: "Moved" in words)
        launch.until(lambda: launch.feed("arena/" + EVENT), "the event's feed")
        launch.until(lambda: list(launch.entries("arena/" + EVENT).values())[0]["sequence"] == 1, "the feed to follow")
        shown = list(launch.entries("arena/" + EVENT).values())[0]
        for key in ("uid", "sequence", "start", "end", "summary", "description", "location", "url", "definitions", "created"):
            check(shown[key] == after[key], "%s: the feed says %r, the mail %r", key, shown[key], after[key])
        launch.wait("done", at_ms=later_ms)
        last = hung_on(launch.kept("on-sale")[:1])[0]
        expect_opening(last, items, sequence=1, uid=after["uid"], alarms=0)  # it would ring at once


def moved_and_withdrawn_in_the_feed():
    """After a minute of quiet: what moved says so, what is withdrawn stands there as cancelled, the rest as before. What hangs
    on a mail is in the feed without that minute."""
    start_ms = (now_ms() // 1000 + 7) * 1000 + 30 * DAY_MS
    with Calendars(ahead="30d") as launch:
        del launch.fans["interest"]
        launch.opens_at_ms = start_ms
        stays, moves, goes = (make_event(number, "Night %d" % number, start_ms, tickets=2) for number in range(3))
        put(launch, stays + moves + goes)
        launch.start()
        launch.until(lambda: len(launch.entries()) == 3, "the feed to show all")
        check(now_ms() < start_ms - 30 * DAY_MS + 20000, "the mails did not end the quiet")
        first = [launch.entries()[min(one["id"] for one in items)] for items in (stays, moves, goes)]
        for event, items in zip(first, (stays, moves, goes)):
            expect_opening(event, items)
        launch.until(lambda: len(launch.kept("soon")) >= 3, "the mails")
        later_ms = start_ms + 7 * DAY_MS
        launch.wix.control([{"do": "move", "id": one["id"], "startDate": moment(later_ms)} for one in moves] +
                           [{"do": "hide", "id": one["id"]} for one in goes])
        for item in moves:
            item["salePeriod"]["startDate"] = moment(later_ms)
        launch.until(lambda: sum(event["sequence"] for event in launch.entries().values()) == 2, "the feed to follow", 100)
        entries = launch.entries()
        same = [entries[min(one["id"] for one in items)] for items in (stays, moves, goes)]
        check(same[0] == first[0], "what stayed has changed: %s", same[0])
        expect_opening(same[1], moves, sequence=1, uid=first[1]["uid"], created=first[1]["created"],
                       modified=lambda at: at > first[1]["modified"], description=lambda words: "Moved" in words)
        expect(same[2], uid=first[2]["uid"], sequence=1, status="CANCELLED", alarms=[], start=first[2]["start"],
               summary="Withdrawn: Night 2", definitions=first[2]["definitions"], created=first[2]["created"])


def without_anybody_to_read_feeds():
    """No public_url: the entry hangs on the mail all the same; nothing links to a feed."""
    with Calendars() as launch:
        del launch.config["http"]["public_url"]
        launch.mail["unsubscribe_url"] = "https://lists.arena.example/{{address}}"
        launch.opens_at_ms = now_ms() + 9000
        items = make_event(1, "Quiet Night", launch.opens_at_ms)
        items[0]["eventId"] = EVENT
        put(launch, items)
        launch.start()
        launch.wait("done", rule="soon")
        raw = launch.kept("soon")[0]
        expect_opening(hung_on([raw])[0], items, stamp=dated(raw))
        html = html_of(raw)
        check("https://calendar.google.com/calendar/render?action=TEMPLATE&amp;text=On%20sale%3A%20Quiet%20Night" in html,
              "no link to Google in %s", html)
        check("/feeds/" not in html and "webcal" not in html, "a link to a feed in %s", html)


def a_real_message_for_a_test():
    """send-test carries an entry, too; a rule without the key does not. Nobody is sent to a calendar that is private."""
    with Calendars() as launch:
        launch.site["feed"]["public"] = False
        launch.config["rules"].append(dict(launch.soon, name="bare", attach_calendar=False))
        launch.opens_at_ms = now_ms()
        launch.start()
        launch.onsale("send-test", "soon", "--to", "me@arena.example")
        launch.onsale("send-test", "bare", "--to", "me@arena.example")
        launch.until(lambda: len(launch.kept("soon")) == 2, "two mails")
        with_one, without = launch.kept("soon")
        event = hung_on([with_one])[0]
        expect(event, sequence=0, stamp=dated(with_one), start=1806048000, summary="On sale: Summer Nights")
        html = html_of(with_one)
        check("calendar.google.com" in html and "/feeds/" not in html, "a link to a feed in %s", html)
        check(attached(without) is None, "an entry on a mail that was to have none")


if __name__ == "__main__":
    tell([hard_names_and_hours, moved_and_withdrawn_in_the_feed, moved_between_two_mails, without_anybody_to_read_feeds,
          a_real_message_for_a_test])
