"""What others read in our calendars: python3-icalendar, python3-vobject and ical.js, which share no code with ours or with
each other, brought to one form; and the bytes themselves, by the letter of RFC 5545.

    calendar = judge(raw)           # Failed unless all three read the same, and the bytes are well
    expect(calendar["events"][0], sequence=2, status="CONFIRMED")
"""
import datetime
import email
import email.policy
import json
import os
import re
import subprocess
import tempfile

import icalendar
import vobject

from launch import SOURCE, check

ONCE = {"VCALENDAR": {"VERSION", "PRODID"},
        "VEVENT": {"UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "STATUS", "TRANSP"},
        "VALARM": {"ACTION", "TRIGGER", "DESCRIPTION"}}
AT_MOST_ONCE = {"VCALENDAR": {"METHOD", "NAME", "X-WR-CALNAME", "REFRESH-INTERVAL", "X-PUBLISHED-TTL"},
                "VEVENT": {"DESCRIPTION", "LOCATION", "URL", "ORGANIZER", "CATEGORIES", "X-MICROSOFT-CDO-BUSYSTATUS"},
                "VALARM": set()}
MANY = {"VCALENDAR": set(), "VEVENT": {"X-ONSALE-DEFINITION"}, "VALARM": set()}
WITHIN = {"VCALENDAR": None, "VEVENT": "VCALENDAR", "VALARM": "VEVENT"}


# --- The bytes

def unfold(raw):
    """Content lines, each line on its way being well: CR LF, at most 75 octets, whole characters, no controls."""
    check(raw.endswith(b"\r\n"), "the last line has no end: %r", raw[-40:])
    content = []
    for number, line in enumerate(raw[:-2].split(b"\r\n"), 1):
        check(len(line) <= 75, "line %d has %d octets", number, len(line))
        check(line.strip(b" "), "line %d is empty", number)
        check(not re.search(rb"[\x00-\x1f\x7f]", line), "line %d has a control: %r", number, line)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            check(False, "line %d is cut within a character: %r", number, line)
        check(not text.startswith("\ufeff"), "line %d has a byte order mark", number)
        if text.startswith(" "):
            check(content, "the first line goes on from nothing")
            content[-1] += text[1:]
        else:
            content.append(text)
        slashes = len(line) - len(line.rstrip(b"\\"))
        check(slashes % 2 == 0, "line %d is cut within an escape: %r", number, line)
    return content


class Component:
    def __init__(self, name):
        self.name, self.seen, self.has_components = name, [], False

    def property(self, line):
        found = re.match(r"([A-Z-]+)((?:;[A-Z-]+=(?:\"[^\"]*\"|[^\";:,]*))*):", line)
        check(found, "%s: not a content line: %r", self.name, line)
        name = found.group(1)
        check(not self.has_components, "%s: %s stands behind a component", self.name, name)
        check(name in ONCE[self.name] | AT_MOST_ONCE[self.name] | MANY[self.name], "%s: what is %s?", self.name, name)
        check(name in MANY[self.name] or name not in self.seen, "%s: %s stands there twice", self.name, name)
        self.seen.append(name)
        if name in ("DTSTAMP", "CREATED", "LAST-MODIFIED", "DTSTART", "DTEND"):
            check(re.fullmatch(r"[A-Z-]+:\d{8}T\d{6}Z", line), "%s: not in UTC: %s", self.name, line)
        if name in ("SUMMARY", "DESCRIPTION", "LOCATION", "CATEGORIES"):
            value = line[found.end():]
            check(not re.sub(r"\\[\\;,nN]", "", value).count("\\"), "%s: %s has a lone backslash: %r", self.name, name, value)
            check(not re.search(r"[;,]", re.sub(r"\\.", "", value)), "%s: %s is not escaped: %r", self.name, name, value)

    def end(self):
        missing = ONCE[self.name] - set(self.seen)
        check(not missing, "%s has no %s", self.name, ", ".join(sorted(missing)))


def judge_bytes(raw):
    within, done = [], 0
    for line in unfold(raw):
        word, _, name = line.partition(":")
        if word == "BEGIN":
            check(name in WITHIN and WITHIN[name] == (within[-1].name if within else None), "%s in the wrong place", line)
            check(within or not done, "a second calendar")
            if within:
                within[-1].has_components = True
            within.append(Component(name))
        elif word == "END":
            check(within and within[-1].name == name, "%s in the wrong place", line)
            within.pop().end()
            done += 1
        else:
            check(within, "a line around the calendar: %r", line)
            within[-1].property(line)
    check(not within and done, "the calendar does not end")


# --- Three readers, one form

def seconds(value):
    check(value.tzinfo is not None and value.utcoffset() == datetime.timedelta(0), "not in UTC: %s", value)
    return int(value.timestamp())


def some(value):
    return None if value is None else str(value)


def parameter(value):
    """RFC 6868, which icalendar and vobject do not know."""
    return value and re.sub(r"\^['^n]", lambda found: {"^'": '"', "^^": "^", "^n": "\n"}[found.group()], value)


def by_icalendar(raw):
    calendar = icalendar.Calendar.from_ical(raw)

    def read(event):
        check(not event.errors, "icalendar: %s", event.errors)
        found = event.get("x-onsale-definition", [])
        organizer = event.get("organizer")
        return {
            "uid": str(event["uid"]), "sequence": int(event["sequence"]),
            **{name: seconds(event.decoded(key)) for name, key in (
                ("stamp", "dtstamp"), ("created", "created"), ("modified", "last-modified"), ("start", "dtstart"), ("end", "dtend"))},
            **{name: some(event.get(name)) for name in ("summary", "description", "location", "url", "status", "transp")},
            "categories": [str(one) for one in event["categories"].cats] if "categories" in event else [],
            "definitions": [str(one) for one in (found if isinstance(found, list) else [found])],
            "alarms": [{"action": str(alarm["action"]), "before": -int(alarm.decoded("trigger").total_seconds())}
                       for alarm in event.subcomponents],
            "organizer": None if organizer is None else {"address": str(organizer), "name": parameter(some(organizer.params.get("cn")))}}

    return {"version": str(calendar["version"]), "prodid": str(calendar["prodid"]), "method": some(calendar.get("method")),
            "name": some(calendar.get("x-wr-calname")), "events": [read(event) for event in calendar.walk("VEVENT")]}


def by_vobject(raw):
    calendar = vobject.readOne(raw.decode(), validate=True)

    def value(component, name):
        lines = component.contents.get(name)
        return lines[0].value if lines else None

    def read(event):
        organizer = event.contents.get("organizer")
        return {
            "uid": value(event, "uid"), "sequence": int(value(event, "sequence")),
            **{name: seconds(value(event, key)) for name, key in (
                ("stamp", "dtstamp"), ("created", "created"), ("modified", "last-modified"), ("start", "dtstart"), ("end", "dtend"))},
            **{name: value(event, name) for name in ("summary", "description", "location", "url", "status", "transp")},
            "categories": [one for line in event.contents.get("categories", []) for one in line.value],
            "definitions": [line.value for line in event.contents.get("x-onsale-definition", [])],
            "alarms": [{"action": value(alarm, "action"), "before": -int(value(alarm, "trigger").total_seconds())}
                       for alarm in event.contents.get("valarm", [])],
            "organizer": None if not organizer else {"address": organizer[0].value, "name": parameter(organizer[0].params.get("CN", [None])[0])}}

    return {"version": value(calendar, "version"), "prodid": value(calendar, "prodid"), "method": value(calendar, "method"),
            "name": value(calendar, "x-wr-calname"), "events": [read(event) for event in calendar.contents.get("vevent", [])]}


def by_ical_js(raws):
    """Many at once: each start of node costs as much as reading all of them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, "%d.ics" % number) for number in range(len(raws))]
        for path, raw in zip(paths, raws):
            with open(path, "wb") as file:
                file.write(raw)
        done = subprocess.run(["node", os.path.join(SOURCE, "tests", "e2e", "calendar_judge.mjs"), *paths], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(done.returncode == 0, "ical.js: %s", done.stderr[-2000:])
    return json.loads(done.stdout)


def judge_all(raws):
    """What all three read in each, which is one and the same."""
    judged = []
    for raw, third in zip(raws, by_ical_js(raws)):
        judge_bytes(raw)
        first, second = by_icalendar(raw), by_vobject(raw)
        same(third, second, "vobject")
        same(third, first, "icalendar")
        judged.append(third)
    return judged


def blunt(text):
    """icalendar 4 takes the "\\\\n" of an escaped backslash and an n for a line end: forgets what it cannot tell apart."""
    return re.sub(r"[\\\nn]", "", text)


def same(one, other, who, place="ical.js"):
    if isinstance(one, dict):
        for key in one:
            same(one[key], other[key], who, "%s %s" % (place, key))
    elif isinstance(one, list) and one and isinstance(one[0], dict):
        check(len(one) == len(other), "%s has %d, %s has %d", place, len(one), who, len(other))
        for number, (a, b) in enumerate(zip(one, other)):
            same(a, b, who, "%s %d" % (place, number))
    elif who == "icalendar" and isinstance(one, str) and "\\" in one:
        check(blunt(one) == blunt(other), "%s reads %r, %s %r", place, one, who, other)
    else:
        check(one == other, "%s reads %r, %s %r", place, one, who, other)


def judge(raw):
    return judge_all([raw])[0]


def expect(event, **wanted):
    for key, value in wanted.items():
        found = event[key]
        good = value(found) if callable(value) else found == value
        check(good, "%s of %s is %r, expected %s", key, event["uid"], found, "another" if callable(value) else repr(value))


# --- Mails

def attached(raw):
    """The calendar that hangs on a mail, with all that a mail program looks at; None: nothing does."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        check(not part.defects, "%s: %s", part.get_content_type(), part.defects)
    if message.get_content_type() != "multipart/mixed":
        return None
    texts, calendar = message.iter_parts()
    check(texts.get_content_type() == "multipart/alternative", "beside it there is %s", texts.get_content_type())
    check([part.get_content_type() for part in texts.iter_parts()] == ["text/plain", "text/html"], "the texts are not there")
    parameters = dict(calendar["Content-Type"].params)
    check(calendar.get_content_type() == "text/calendar" and parameters == {
        "method": "PUBLISH", "charset": "utf-8", "name": "sale.ics"}, "Content-Type: %s", calendar["Content-Type"])
    check((calendar.get_content_disposition(), calendar.get_filename()) == ("attachment", "sale.ics"), "Content-Disposition: %s",
          calendar["Content-Disposition"])
    return calendar.get_payload(decode=True)
