#!/usr/bin/env python3
"""A listmonk to test against: the documented wire format on a real socket, and nasty on demand.

    listmonk.py [--people N] [--seed S] [--port P] [--latency MS]

Prints "listening PORT". Users (Authorization: token USER:secret):
    onsale      may do everything, SQL included
    plain       everything but the query parameter
    reader      may read, not change: 403
    guest       subscribers:manage, but of no list: what it asks to change is "true" and changes nothing
    restricted  subscribers:get_all without any list permission: the list filter is silently dropped
    nobody      no permission at all

For tests:
    GET  /_people?list=7    what is true: {address: consent}, consent 0 yes, 1 no, 2 never mail; judged by other code;
                            &interest=events (attribute) or &interest=lists (8 by name, 9 by tag): with that interest
    GET  /_requests         every request so far: [{method, path, query, status}]
    POST /_control          {"latency_ms": 20}
                            {"faults": [{"on": 2, "kind": "500", "times": 1, "retry_after": 1}]}   on: the how-many-th
                                page request from now; kinds: a status, truncated, reset, slow, html, shape, capped,
                                short (less comes than Content-Length says), empty and halved (the page lacks all or half
                                of its people, and its total does not), again (the page before once more), doubled (each
                                person twice), drifting (the total is another one on each page); retry_after "+2": a date
                            {"mended": true}    no faults any more
                            {"changes": [{"after": 1, "do": [["unsubscribe", 5, 7], ["leave", 6, 7], ["join", 8, 7],
                                ["delete", 9], ["blocklist", 10], ["rename", 11, "x@example.org"],
                                ["add", "new@example.org", 7]]}]}   after: that many page requests from now; 0: at once
                            {"total_lie": 3}    what every total is off by
                            {"write_faults": [{"on": 1, "kind": "403", "times": 2}]}   on: the how-many-th change from
                                now; kinds: a status, slow, lost (it is made, then the connection is reset)
                            {"blind": true}     search is ignored, as by versions that do not know it
                            {"reset": true}     the people as they were at the start, no faults, no log
"""
import argparse
import base64
import datetime
import json
import random
import re
import socket
import struct
import sys
import threading
import time
import uuid
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

EVENT = "5f1c7a52-3a0e-4c07-9a9b-6d2b1a7c77e1"
LISTS = {
    3: {"name": "Newsletter", "optin": "double", "tags": ["general"]},
    5: {"name": "Crew", "optin": "single", "tags": []},
    7: {"name": "Harbour Lights 2026", "optin": "single", "tags": ["sale-start"]},
    8: {"name": "fans of " + EVENT, "optin": "double", "tags": []},
    9: {"name": "Tagged", "optin": "single", "tags": ["event:" + EVENT]},
    12: {"name": "Empty", "optin": "single", "tags": []},
}
STATUSES = ["enabled"] * 16 + ["disabled", "blocklisted"]
SUBSCRIPTIONS = ["confirmed"] * 5 + ["unconfirmed"] * 3 + ["unsubscribed"] * 2
PLACES = [("it", "Europe/Rome"), ("pl", "Europe/Warsaw"), ("fr-CA", "America/Toronto"), ("lt", "Europe/Vilnius")]
USERS = {
    "onsale": {"get", "lists", "sql", "manage", "manage_lists"},
    "plain": {"get", "lists", "manage", "manage_lists"},
    "reader": {"get", "lists"},
    "guest": {"get", "lists", "manage"},
    "restricted": {"get"},
    "nobody": set(),
}


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def stamp(moment):
    return moment.isoformat(timespec="microseconds")


class World:
    def __init__(self, count, seed):
        self.count, self.seed = count, seed
        self.lock = threading.RLock()
        self.latency_ms = 0
        self.reset()

    def reset(self):
        dice = random.Random(self.seed)
        start = datetime.datetime(2026, 2, 1, 12, tzinfo=datetime.timezone.utc)
        self.people, self.next_id = {}, 1
        self.faults, self.changes, self.requests = [], [], []
        self.pages = self.writes = 0
        self.write_faults = []
        self.total_lie = 0
        self.rows = []  # of the page before
        self.blind = False
        for _ in range(self.count):
            self.next_id += dice.choice([0, 0, 0, 1, 3])  # deleted ones leave holes
            person = self.add(f"p{self.next_id}@example.org", None, start, dice)
            person["status"] = dice.choice(STATUSES)
            for number in LISTS:
                if number != 12 and dice.random() < (0.9 if number == 7 else 0.4):
                    self.subscribe(person, number, dice.choice(SUBSCRIPTIONS), start)
            if dice.random() < 0.7:
                person["attribs"] = {"lang": PLACES[person["id"] % 4][0], "tz": PLACES[person["id"] % 4][1]}
            if dice.random() < 0.5:
                person["attribs"]["events"] = dice.choice([[EVENT], ["other", EVENT], ["other"], EVENT])

    def add(self, address, number, moment, dice=None):
        number_bits = (dice or random).getrandbits(128)
        person = {
            "id": self.next_id, "created_at": moment, "updated_at": moment,
            "uuid": str(uuid.UUID(int=number_bits, version=4)), "email": address, "name": f'Person "{self.next_id}"',
            "attribs": {}, "status": "enabled", "subscriptions": {},
        }
        self.people[self.next_id] = person
        self.next_id += 1
        if number:
            self.subscribe(person, number, "confirmed", moment)
        return person

    @staticmethod
    def subscribe(person, number, status, moment):
        person["subscriptions"][number] = {"status": status, "created_at": moment, "updated_at": moment}

    def change(self, what, *args):
        person = None if what == "add" else self.people[args[0]]
        if what == "add":
            self.add(args[0], args[1], now())
        elif what == "unsubscribe":
            person["subscriptions"][args[1]].update(status="unsubscribed", updated_at=now())
        elif what == "confirm":
            person["subscriptions"][args[1]].update(status="confirmed", updated_at=now())
        elif what == "leave":
            del person["subscriptions"][args[1]]
        elif what == "join":
            self.subscribe(person, args[1], "confirmed", now())
        elif what == "delete":
            del self.people[args[0]]
        elif what == "blocklist":
            person.update(status="blocklisted", updated_at=now())
            for subscription in person["subscriptions"].values():
                subscription.update(status="unsubscribed", updated_at=now())
        elif what == "rename":
            person.update(email=args[1], updated_at=now())
        else:
            raise ValueError(what)

    def page_begins(self):
        """The fault of this page request, if any."""
        self.pages += 1
        for fault in self.faults:
            if fault["at"] <= self.pages < fault["at"] + fault.get("times", 1):
                return fault
        return None

    def write_begins(self):
        """The fault of this change, or ""."""
        self.writes += 1
        for fault in self.write_faults:
            if fault["at"] <= self.writes < fault["at"] + fault.get("times", 1):
                return fault["kind"]
        return ""

    def page_ends(self):
        for change in [c for c in self.changes if c["at"] <= self.pages]:
            self.changes.remove(change)
            for step in change["do"]:
                self.change(*step)

    def control(self, wish):
        if wish.get("reset"):
            self.reset()
        if wish.get("mended"):
            self.faults.clear()
        self.latency_ms = wish.get("latency_ms", self.latency_ms)
        self.total_lie = wish.get("total_lie", self.total_lie)
        self.blind = wish.get("blind", self.blind)
        for fault in wish.get("write_faults", []):
            self.write_faults.append(dict(fault, at=self.writes + fault["on"]))
        for fault in wish.get("faults", []):
            self.faults.append(dict(fault, at=self.pages + fault["on"]))
        for change in wish.get("changes", []):
            self.changes.append(dict(change, at=self.pages + change["after"]))
        self.page_ends()

    def truth(self, number, interest):
        verdicts = {}
        for person in self.people.values():
            subscription = person["subscriptions"].get(number)
            if not subscription:
                continue
            wanted = {"confirmed"} | ({"unconfirmed"} if LISTS[number]["optin"] == "single" else set())
            yes = person["status"] == "enabled" and subscription["status"] in wanted
            if interest == "events":
                yes = yes and EVENT in person["attribs"].get("events", [])
            if interest == "lists":
                yes = yes and (person["subscriptions"].get(8, {}).get("status") == "confirmed" or
                               person["subscriptions"].get(9, {}).get("status") in ("confirmed", "unconfirmed"))
            verdicts[person["email"]] = 2 if person["status"] == "blocklisted" else 0 if yes else 1
        return verdicts


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


def list_object(number, restricted=False):
    out = {
        "id": number, "created_at": "2026-02-01T12:00:00.000000+01:00", "updated_at": "2026-02-02T09:00:00.000000+01:00",
        "uuid": f"0b6f1d2e-8a41-4a6c-b1f3-{number:012d}", "type": "private", "status": "active", "description": "",
        **LISTS[number],
    }
    if restricted:
        out.update(name="*Unknown", restricted=True)
        del out["description"]
    return out


def person_object(person, may_lists):
    lists = []
    for number, subscription in person["subscriptions"].items():
        lists.append({
            "subscription_status": subscription["status"], "subscription_meta": {},
            "subscription_created_at": stamp(subscription["created_at"]),
            "subscription_updated_at": stamp(subscription["updated_at"]), **list_object(number, not may_lists),
        })
    out = {k: person[k] for k in ("id", "uuid", "email", "name", "attribs", "status")}
    return {**out, "created_at": stamp(person["created_at"]), "updated_at": stamp(person["updated_at"]), "lists": lists}


CONDITION = re.compile(
    r"subscribers\.id > (\d+)( AND \(subscribers\.updated_at > '([^']+)' OR EXISTS \(SELECT 1 FROM subscriber_lists sl "
    r"WHERE sl\.subscriber_id = subscribers\.id AND sl\.updated_at > '([^']+)'\)\))?")


def condition(query):
    """The few forms of SQL that are understood here; everything else is an error, as a typo would be."""
    match = re.fullmatch(r"subscribers\.uuid = '([0-9a-f-]{36})'", query)
    if match:
        return lambda p: p["uuid"] == match[1]
    match = re.fullmatch(r"LOWER\(subscribers\.email\) = LOWER\('((?:[^'\\]|'')*)'\)", query)
    if match:
        return lambda p: p["email"].lower() == match[1].replace("''", "'").lower()
    match = CONDITION.fullmatch(query)
    if not match:
        raise Refused(400, 'pq: syntax error at or near "query"')
    least = int(match[1])
    if not match[2]:
        return lambda p: p["id"] > least
    since, joined = (datetime.datetime.fromisoformat(match[i].replace("Z", "+00:00")) for i in (3, 4))
    return lambda p: p["id"] > least and (
        p["updated_at"] > since or any(s["updated_at"] > joined for s in p["subscriptions"].values()))


def retry_after(wish):
    """Seconds, or "+2": the date in so many seconds."""
    return str(wish) if isinstance(wish, int) else formatdate(time.time() + int(wish), usegmt=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None

    def log_message(self, *args):
        pass

    def send(self, status, body, content_type="application/json; charset=UTF-8", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.note(status)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def note(self, status):
        parts = urlsplit(self.path)
        if not parts.path.startswith("/_"):
            with self.world.lock:
                self.world.requests.append(
                    {"method": self.command, "path": parts.path, "query": parse_qs(parts.query), "status": status})

    def permissions(self):
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if not value:
            raise Refused(403, "invalid session")
        if scheme == "Basic":
            value = base64.b64decode(value).decode()
        elif scheme != "token":  # the scheme's case counts
            raise Refused(403, "invalid session")
        user, _, token = value.partition(":")
        if user not in USERS or token != "secret":
            raise Refused(403, "invalid API credentials")
        return USERS[user]

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.change)

    def do_PUT(self):
        self.answer(self.change)

    def answer(self, method):
        try:
            method(urlsplit(self.path))
        except Refused as refused:
            self.send(refused.status, {"message": refused.message})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def get(self, url):
        world, asked = self.world, parse_qs(url.query)
        if url.path == "/_people":
            with world.lock:
                return self.send(200, world.truth(int(asked["list"][0]), asked.get("interest", [""])[0]))
        if url.path == "/_requests":
            return self.send(200, world.requests)
        permissions = self.permissions()
        match = re.fullmatch(r"/api/lists/(\d+)", url.path)
        if match:
            if "lists" not in permissions and permissions != {"get"}:
                raise Refused(403, "permission denied: list:get")
            if int(match[1]) not in LISTS:
                raise Refused(400, "List not found")
            return self.send(200, {"data": {**list_object(int(match[1])), "subscriber_count": 0}})
        if url.path == "/api/subscribers":
            return self.subscribers(asked, permissions)
        raise Refused(404, "404 unknown endpoint")

    def subscribers(self, asked, permissions):
        world = self.world
        if "get" not in permissions:
            raise Refused(403, "permission denied: subscribers:get")
        if asked.get("query") and "sql" not in permissions:
            raise Refused(403, "permission denied: subscribers:sql_query")
        if world.latency_ms:
            time.sleep(world.latency_ms / 1000)
        with world.lock:
            fault = world.page_begins()
            if fault and fault["kind"].isdigit():
                wait = [("Retry-After", retry_after(fault["retry_after"]))] if "retry_after" in fault else []
                return self.send(int(fault["kind"]), {"message": "something went wrong"}, headers=wait)
            if fault and fault["kind"] == "html":
                return self.send(200, b"<html><body>Maintenance</body></html>", "text/html")
            if fault and fault["kind"] == "shape":
                return self.send(200, {"data": {"results": [{"id": 1, "email": "a@example.org"}], "total": 1}})
            data = self.page(asked, permissions, fault)
            world.page_ends()
        self.send_page(json.dumps({"data": data}, ensure_ascii=False).encode(), fault)

    def page(self, asked, permissions, fault):
        people = list(self.world.people.values())
        wanted = [int(n) for n in asked.get("list_id", [])] if "lists" in permissions else []
        if asked.get("query"):
            people = [p for p in people if condition(asked["query"][0])(p)]
        search = asked.get("search", [""])[0]
        if search and not self.world.blind:
            try:
                people = [p for p in people if re.search(search, p["name"], re.I) or re.search(search, p["email"], re.I)]
            except re.error as error:
                raise Refused(500, "error fetching subscribers: pq: invalid regular expression") from error
        if wanted:  # the join: twice, who is on two of them
            people = [p for p in people for n in wanted if n in p["subscriptions"]]
            status = asked.get("subscription_status", [None])[0]
            if status:
                people = [p for p in people if any(p["subscriptions"].get(n, {}).get("status") == status for n in wanted)]
        people.sort(key=lambda p: p["id"], reverse=asked.get("order", ["desc"])[0] != "asc")
        total = len(people)
        size_text = asked.get("per_page", ["20"])[0]
        number = max(int(asked.get("page", ["1"])[0]), 1)
        size = 0 if size_text == "all" else int(size_text)
        if fault and fault["kind"] == "capped":
            size = min(size, 50)
        rows = people if size == 0 else people[(number - 1) * size:number * size]
        if fault and fault["kind"] in ("empty", "halved", "again", "doubled"):
            rows = {"empty": [], "halved": rows[::2], "again": self.world.rows, "doubled": rows + rows}[fault["kind"]]
        self.world.rows = rows
        if fault and fault["kind"] == "drifting":
            total += self.world.pages % 7
        return {"results": [person_object(p, "lists" in permissions) for p in rows], "search": search,
                "query": asked.get("query", [""])[0], "total": total + self.world.total_lie, "per_page": size,
                "page": number}

    def reset(self):
        self.note(0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def send_page(self, data, fault):
        kind = fault["kind"] if fault else ""
        if kind == "reset":
            self.reset()
        elif kind == "truncated":
            self.send(200, data[:len(data) // 2])
        elif kind == "short":
            self.note(200)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data) + 1000))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True
        elif kind == "slow":
            self.note(200)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        else:
            self.send(200, data)

    def change(self, url):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        with self.world.lock:
            if url.path == "/_control":
                self.world.control(body)
                return self.send(200, {"data": True})
            permissions = self.permissions()
            if "manage" not in permissions:
                raise Refused(403, "permission denied: subscribers:manage")
            fault = self.world.write_begins()
            if fault.isdigit():
                raise Refused(int(fault), "something went wrong")
            self.write(url.path, body, permissions)
        if fault == "slow":
            time.sleep(15)
        if fault == "lost":
            self.reset()
        else:
            self.send(200, {"data": True})

    def write(self, path, body, permissions):
        match = re.fullmatch(r"/api/subscribers/(\d+)/blocklist", path)
        if match:
            self.world.change("blocklist", int(match[1]))
            return
        if path != "/api/subscribers/lists":
            raise Refused(404, "404 unknown endpoint")
        ids, numbers = body.get("ids"), body.get("target_list_ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(i, int) for i in ids):
            raise Refused(400, "Invalid ID(s)")
        if not isinstance(numbers, list) or not numbers:
            raise Refused(400, "No lists selected.")
        if body.get("action") != "unsubscribe":
            raise Refused(400, "Invalid action.")
        for person in ids:
            for number in numbers if "manage_lists" in permissions else []:  # lists that are not theirs: dropped silently
                if number in self.world.people.get(person, {}).get("subscriptions", {}):
                    self.world.change("unsubscribe", person, number)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # who gives up a read hangs up
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=int, default=0)
    args = parser.parse_args()
    Handler.world = World(args.people, args.seed)
    Handler.world.latency_ms = args.latency
    server = Server(("127.0.0.1", args.port), Handler)
    print("listening", server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
