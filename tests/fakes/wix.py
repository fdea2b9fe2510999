#!/usr/bin/env python3
"""A fake Wix Events server (Ticket Definitions V3: Query, Get, Count; OAuth client credentials), nasty on demand.

Prints "listening PORT" when ready. It is steered by POST /_control with one JSON object or a list of them:

    {"do": "set", "definitions": [...]}                    replaces all
    {"do": "put", "definition": {...}}                     adds or replaces one, as it is
    {"do": "change", "id": I, "set": {"name": "x"}}        dotted paths; raises revision and updatedDate
                                                           ("quietly": true leaves both)
    {"do": "move", "id": I, "startDate": T}  {"do": "hide"|"show"|"delete", "id": I}
    {"do": "event", "eventId": E, "set": {"status": "CANCELED"}}     changes eventDetails; definitions stay as old
    {"do": "clock", "offset_ms": N}                        of the Date header and of saleStatus
    {"do": "date", "text": T}                              the Date header itself; null: as the clock says
    {"do": "derive", "on": true, "late_ms": N}             saleStatus follows the sale period, N ms late
    {"do": "lag", "ms": N}                                 Query shows changes N ms after Get does
    {"do": "limit", "per_minute": N}                       0: no limit
    {"do": "auth", "mode": "ok"|"401"|"403"|"404"|"428"|"428-app"}
    {"do": "token", "life_s": N, "revoke": true}           lifetime of new tokens; forget the ones given out
    {"do": "expire_cursors"}
    {"do": "hooks", "url": U, "key": PATH, ...}            from now on changes are told there (wix_hooks.py: lose, twice, shuffle,
                                                           late_ms, as_json, layers); without a url: no more
    {"do": "hook", "type": T, "event": {...}, "how": ""}   tells this
    {"do": "fault", "kind": K, "count": N, "on": "any"|"query"|"get"|"token", "after": M, ...}
        the next N requests (-1: all from now on; M pass first). Kinds: "status" (status, retry_after in seconds or "+2":
        the date in so many, html, body), "truncate"
        (valid length, half the JSON), "cut" (connection ends in the body), "html", "array", "empty", "absent"
        (no ticketDefinitions), "reset", "slow" (ms), "drip" (ms), "silent" (ms, then closed), "redirect", "huge",
        "chunked", "same_cursor", "meta-site"
    {"do": "clear_faults"}  {"do": "clear_log"}  {"do": "reset"}     reset: as it was started, but for the log

GET /_log tells every request with its time; GET /_world what Get would show; GET /_hooks how webhooks were answered.
"""

import argparse
import copy
import email.utils
import gzip
import http.server
import json
import socket
import struct
import threading
import time
import urllib.parse
import uuid

import wix_hooks
import wix_query
from wix_query import Violation, format_date

PREFIXES = ("/events/v3/ticket-definitions", "/events-ticket-definitions/v3/ticket-definitions")


def now_ms():
    return time.time_ns() // 1000000


def put_path(item, path, value):
    *way, last = path.split(".")
    for key in way:
        if not isinstance(item.get(key), dict):
            item[key] = {}
        item = item[key]
    item[last] = value


class World:
    """Everything the server knows. All methods are called with `lock` held."""

    def __init__(self, args):
        self.lock = threading.RLock()
        self.args = args
        self.first = []
        self.reset()
        self.log = []

    def reset(self):
        args = self.args
        self.fresh, self.indexed, self.pending = {}, {}, []
        self.offset_ms = self.late_ms = self.lag_ms = 0
        self.date_text = None
        self.derive, self.per_minute, self.auth = True, args.per_minute, "ok"
        self.token_life_s, self.tokens = args.token_life, {}
        self.cursors, self.faults, self.times = {}, [], []
        self.hooks = None
        for item in self.first:
            self.store(item["id"], item)

    def clock_ms(self):
        return now_ms() + self.offset_ms

    # What Get shows changes at once; what Query shows follows after the lag.
    def store(self, ident, item):
        before = self.fresh.pop(ident, None)
        if item is not None:
            self.fresh[ident] = item
        if self.hooks and (item or before):
            self.hooks.changed("deleted" if item is None else "updated" if before else "created", item or before)
        self.pending.append((now_ms() + self.lag_ms, ident, copy.deepcopy(item)))
        self.settle()

    def settle(self):
        while self.pending and self.pending[0][0] <= now_ms():
            _, ident, item = self.pending.pop(0)
            if item is None:
                self.indexed.pop(ident, None)
            else:
                self.indexed[ident] = item

    def shown(self, item):
        """A definition as the wire has it now: saleStatus follows the clock and touches nothing else."""
        item = copy.deepcopy(item)
        period = item.get("salePeriod") or {}
        if self.derive:
            at = divmod(self.clock_ms() - self.late_ms, 1000)
            at = (at[0], at[1] * 1000000)
            start, end = period.get("startDate"), period.get("endDate")
            if start and at < wix_query.parse_date(start):
                item["saleStatus"] = "SALE_SCHEDULED"
            elif end and at >= wix_query.parse_date(end):
                item["saleStatus"] = "SALE_ENDED"
            else:
                item["saleStatus"] = "SALE_STARTED"
        return item

    def change(self, ident, fields, quietly=False):
        item = copy.deepcopy(self.fresh[ident])
        for path, value in fields.items():
            put_path(item, path, value)
        if not quietly:
            item["revision"] = str(int(item.get("revision", "0")) + 1)
            item["updatedDate"] = format_date(self.clock_ms())
        self.store(ident, item)

    def control(self, order):
        what = order.get("do")
        if what == "set":
            for ident in list(self.fresh):
                self.store(ident, None)
            for item in order["definitions"]:
                self.store(item["id"], item)
        elif what == "put":
            self.store(order["definition"]["id"], order["definition"])
        elif what == "change":
            self.change(order["id"], order["set"], order.get("quietly", False))
        elif what == "move":
            self.change(order["id"], {"salePeriod.startDate": order["startDate"]})
        elif what in ("hide", "show"):
            self.change(order["id"], {"hidden": what == "hide"})
        elif what == "delete":
            self.store(order["id"], None)
        elif what == "event":
            fields = {"eventDetails." + path: value for path, value in order["set"].items()}
            for ident in [i for i, item in self.fresh.items() if item["eventId"] == order["eventId"]]:
                self.change(ident, fields, True)
        elif what == "clock":
            self.offset_ms = order["offset_ms"]
        elif what == "date":
            self.date_text = order["text"]
        elif what == "derive":
            self.derive, self.late_ms = order.get("on", True), order.get("late_ms", 0)
        elif what == "lag":
            self.lag_ms = order["ms"]
        elif what == "limit":
            self.per_minute = order["per_minute"]
        elif what == "auth":
            self.auth = order["mode"]
        elif what == "token":
            self.token_life_s = order.get("life_s", self.token_life_s)
            if order.get("revoke"):
                self.tokens.clear()
        elif what == "expire_cursors":
            self.cursors.clear()
        elif what == "hooks":
            more = {name: value for name, value in order.items() if name not in ("do", "url", "key")}
            self.hooks = wix_hooks.Sender(order["url"], order["key"], self.args.instance_id, **more) if "url" in order else None
        elif what == "hook":
            self.hooks.tell(order["event"], order["type"], order.get("how", ""))
        elif what == "fault":
            self.faults.append(dict({"count": 1, "on": "any", "after": 0}, **order))
        elif what == "clear_faults":
            self.faults.clear()
        elif what == "clear_log":
            self.log.clear()
        elif what == "reset":
            self.reset()
        else:
            raise ValueError("unknown order %r" % what)

    def next_fault(self, kind):
        for fault in self.faults:
            if fault["on"] not in ("any", kind):
                continue
            if fault["after"] > 0:
                fault["after"] -= 1
                continue
            if fault["count"] != 0:
                fault["count"] -= 1
                return fault
        return None

    def over_limit(self):
        self.times = [at for at in self.times if at > time.monotonic() - 60]
        self.times.append(time.monotonic())
        return self.per_minute > 0 and len(self.times) > self.per_minute

    # --- the calls

    def query(self, body):
        query, fields = body.get("query"), body.get("fields") or []
        if not isinstance(query, dict):
            raise Violation("query", "value is required", "REQUIRED")
        wix_query.check_fields(fields)
        if "paging" in query and "cursorPaging" in query:
            raise Violation("query", "paging and cursorPaging exclude each other")
        paging = query.get("cursorPaging") or query.get("paging") or {}
        limit = paging.get("limit", 100)
        if not isinstance(limit, int) or not 1 <= limit <= 100:
            raise Violation("query.cursorPaging.limit", "must be <= 100", "MAX")
        after, cursor = None, paging.get("cursor")
        condition, sort = query.get("filter") or {}, query.get("sort") or []
        if cursor:
            if condition or sort:
                raise Violation("query.cursorPaging.cursor", "a cursor carries filter and sort")
            if cursor not in self.cursors:
                raise Violation("query.cursorPaging.cursor", "the cursor is not valid any more")
            condition, sort, after = self.cursors[cursor]
        wix_query.check_sort(sort)
        self.settle()
        items = [self.shown(item) for item in self.indexed.values()]
        items = sorted((i for i in items if wix_query.matches(i, condition)), key=lambda i: wix_query.sort_key(i, sort))
        found = len(items)
        if after is not None:
            items = [i for i in items if after < wix_query.sort_key(i, sort)]
        items = items[paging.get("offset", 0):] if "offset" in paging else items
        page = items[:limit]
        metadata = {"count": len(page)}
        if "paging" in query:
            metadata.update({"offset": paging.get("offset", 0), "total": found, "tooManyToCount": False})
        elif len(items) > limit:
            token = str(uuid.uuid4())
            self.cursors[token] = (condition, sort, wix_query.sort_key(page[-1], sort))
            metadata["cursors"] = {"next": token}
        return {"ticketDefinitions": [wix_query.project(i, fields) for i in page], "metadata": metadata}

    def count(self, body):
        self.settle()
        items = [self.shown(item) for item in self.indexed.values()]
        items = [i for i in items if wix_query.matches(i, body.get("filter") or {})]
        facets = {}
        for path in body.get("facet") or []:
            counts = {}
            for item in items:
                counts[str(wix_query.lookup(item, path))] = counts.get(str(wix_query.lookup(item, path)), 0) + 1
            facets[path] = {"counts": counts}
        return {"metadata": {"total": len(items)}, "facets": facets}

    def give_token(self, body):
        args = self.args
        if body.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type", "error_description": "grant_type"}
        if body.get("client_id") != args.client_id or body.get("client_secret") != args.client_secret:
            return 401, {"error": "invalid_client", "error_description": "Unknown client or wrong secret"}
        if body.get("instance_id") != args.instance_id:
            return 400, {"error": "invalid_request", "error_description": "APP_NOT_FOUND"}
        token = "OauthNG.JWS." + uuid.uuid4().hex
        self.tokens[token] = time.monotonic() + self.token_life_s
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.token_life_s}

    def refusal(self, headers):
        """What stands between the caller and an answer: (status, body) or None."""
        key = headers.get("Authorization") or ""
        key = key[7:] if key.startswith("Bearer ") else key
        site, account = headers.get("wix-site-id"), headers.get("wix-account-id")
        modes = {
            "401": (401, problem("UNAUTHENTICATED", "Request could not be authenticated")),
            "403": (403, problem("PERMISSION_DENIED", "The caller may not read ticket definitions")),
            "404": (404, problem("NOT_FOUND", "Meta-site %s was not found" % site)),
            "428": (428, problem("MISSING_REQUEST_SITE_CONTEXT", "No site context")),
            "428-app": (428, problem("WIX_EVENTS_APP_NOT_INSTALLED", "Wix Events is not installed")),
        }
        if self.auth != "ok":
            return modes[self.auth]
        if key in self.tokens:
            return None if self.tokens[key] > time.monotonic() else modes["401"]
        if key != self.args.api_key:
            return modes["401"]
        if not site and not account:
            return modes["428"]
        if site and account:
            return 400, problem("INVALID_ARGUMENT", "wix-site-id and wix-account-id exclude each other")
        if site and site != self.args.site_id:
            return modes["404"]
        return None


def problem(code, text):
    return {"message": text, "details": {"applicationError": {"code": code, "description": text, "data": {}}}}


def violation(error):
    return {"message": "Bad request", "details": {"validationError": {"fieldViolations": [
        {"field": error.field, "description": error.description, "violatedRule": error.rule, "ruleName": "",
         "data": {}}]}}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server_version = "Pepyaka"
    sys_version = ""

    @property
    def world(self):
        return self.server.world

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return self.world.date_text or email.utils.formatdate(self.world.clock_ms() / 1000, usegmt=True)

    def do_GET(self):
        self.handle_call("GET")

    def do_POST(self):
        self.handle_call("POST")

    def handle_call(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith("/_"):
            return self.steer(method, url.path, body)
        kind = self.kind_of(method, url.path)
        entry = {"at_ms": now_ms(), "method": method, "path": self.path, "kind": kind,
                 "site": self.headers.get("wix-site-id"), "account": self.headers.get("wix-account-id"),
                 "authorization": bool(self.headers.get("Authorization")), "body": body.decode("utf-8", "replace")}
        with self.world.lock:
            self.world.log.append(entry)
            fault = self.world.next_fault(kind) if kind else None
        entry["fault"] = fault["kind"] if fault else None
        if fault and fault["kind"] in ("slow", "silent"):
            time.sleep(fault.get("ms", 1000) / 1000)
        if fault and fault["kind"] == "status":
            return self.answer_status(entry, fault)
        with self.world.lock:
            status, answer = self.answer(kind, url, body)
        if fault and self.spoil(fault, entry, answer):
            return None
        return self.send(entry, status, json.dumps(answer, ensure_ascii=len(self.world.log) % 2 == 0).encode(),
                         chunked=bool(fault and fault["kind"] == "chunked"))

    def kind_of(self, method, path):
        if path == "/oauth2/token" and method == "POST":
            return "token"
        for prefix in PREFIXES:
            if path == prefix + "/query" and method == "POST":
                return "query"
            if path == prefix + "/count" and method == "POST":
                return "count"
            if path.startswith(prefix + "/") and method == "GET":
                return "get"
        return None

    def answer(self, kind, url, body):
        world = self.world
        if kind is None:
            return 404, problem("NOT_FOUND", "No such path")
        try:
            parsed = json.loads(body or b"{}")
        except ValueError:
            return 400, problem("INVALID_ARGUMENT", "Request body is not JSON")
        if kind == "token":
            return world.give_token(parsed)
        if world.over_limit():
            return 429, problem("RESOURCE_EXHAUSTED", "Request quota for this instance is used up")
        refused = world.refusal(self.headers)
        if refused:
            return refused
        try:
            if kind == "query":
                return 200, world.query(parsed)
            if kind == "count":
                return 200, world.count(parsed)
            fields = urllib.parse.parse_qs(url.query).get("fields", [])
            wix_query.check_fields(fields)
            item = world.fresh.get(urllib.parse.unquote(url.path.rsplit("/", 1)[1]))
            if item is None:
                return 404, problem("NOT_FOUND", "Ticket definition not found")
            return 200, {"ticketDefinition": wix_query.project(world.shown(item), fields)}
        except Violation as error:
            return 400, violation(error)

    def answer_status(self, entry, fault):
        status = fault.get("status", 500)
        wait = fault.get("retry_after", 0)
        wait = str(wait) if isinstance(wait, int) else email.utils.formatdate(time.time() + int(wait), usegmt=True)
        extra = [("Retry-After", wait)] if "retry_after" in fault else []
        if fault.get("html"):
            page = b"<html><body><h1>%d</h1></body></html>" % status
            return self.send(entry, status, page, extra=extra, kind="text/html")
        body = problem("RESOURCE_EXHAUSTED", "Too many requests") if status == 429 else {"message": "", "details": {}}
        return self.send(entry, status, json.dumps(fault.get("body", body)).encode(), extra=extra)

    def spoil(self, fault, entry, answer):
        """Sends something else than the answer; False when it only had to be touched."""
        kind, body = fault["kind"], json.dumps(answer).encode()
        if kind == "truncate":
            self.send(entry, 200, body[:len(body) // 2])
        elif kind == "html":
            self.send(entry, 200, b"<!doctype html><title>Sign in</title>", kind="text/html")
        elif kind == "array":
            self.send(entry, 200, b"[]")
        elif kind == "empty":
            self.send(entry, 200, b"")
        elif kind == "absent":
            self.send(entry, 200, b'{"metadata":{"count":0}}')
        elif kind == "huge":
            self.send(entry, 200, b'{"ticketDefinitions":[' + b" " * (12 << 20) + b"]}")
        elif kind == "redirect":
            self.send(entry, 302, b"", extra=[("Location", fault.get("to", "http://127.0.0.1:9/"))])
        elif kind == "meta-site":
            self.send(entry, 404, json.dumps(problem("NOT_FOUND", "Meta-site was not found")).encode())
        elif kind == "drip":
            self.drip(entry, body, fault.get("ms", 20))
        elif kind == "cut":
            self.begin(entry, 200, [("Content-Length", str(len(body)))])
            self.wfile.write(body[:len(body) // 2])
            self.close_connection = True
        elif kind in ("reset", "silent"):
            if kind == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            entry["status"] = 0
            self.close_connection = True
        elif kind == "same_cursor":
            if isinstance(answer.get("metadata"), dict):
                world = self.world
                with world.lock:
                    world.cursors["again"] = ({}, [], None)
                answer["metadata"]["cursors"] = {"next": "again"}
            return False
        else:
            return False
        return True

    def begin(self, entry, status, headers):
        entry["status"] = status
        self.send_response(status)
        self.send_header("x-wix-request-id", "%d.%d" % (now_ms(), id(entry) % 100000))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def drip(self, entry, body, pause_ms):
        self.begin(entry, 200, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        for at in range(0, len(body), 64):
            self.wfile.write(body[at:at + 64])
            self.wfile.flush()
            time.sleep(pause_ms / 1000)

    def send(self, entry, status, body, extra=(), kind="application/json", chunked=False):
        headers = [("Content-Type", kind)] + list(extra)
        if "gzip" in (self.headers.get("Accept-Encoding") or ""):
            body = gzip.compress(body, 1)
            headers.append(("Content-Encoding", "gzip"))
        if chunked:
            self.begin(entry, status, headers + [("Transfer-Encoding", "chunked")])
            for at in range(0, len(body), 1000):
                part = body[at:at + 1000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.begin(entry, status, headers + [("Content-Length", str(len(body)))])
            self.wfile.write(body)

    def steer(self, method, path, body):
        world, status, answer = self.world, 200, {}
        with world.lock:
            try:
                if path == "/_control" and method == "POST":
                    orders = json.loads(body)
                    for order in orders if isinstance(orders, list) else [orders]:
                        world.control(order)
                elif path == "/_log":
                    answer = {"requests": world.log}
                elif path == "/_hooks":
                    answer = {"sent": self.world.hooks.log if self.world.hooks else []}
                elif path == "/_world":
                    answer = {"ticketDefinitions": [world.shown(item) for item in world.fresh.values()]}
                else:
                    status, answer = 404, {"error": "no such path"}
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                status, answer = 400, {"error": repr(error)}
            text = json.dumps(answer).encode()
        self.send({}, status, text)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A caller that went away is no news."""


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--world", help="JSON file with ticketDefinitions (wix_world.py makes one)")
    parser.add_argument("--api-key", default="test-api-key")
    parser.add_argument("--site-id", default="9d4e27c0-b6a1-4f83-95e2-1c7f08d3ab59")
    parser.add_argument("--client-id", default="test-client")
    parser.add_argument("--client-secret", default="test-secret")
    parser.add_argument("--instance-id", default="c6f1b3a7-2e94-4d58-8b0f-a17d5c3e9264")
    parser.add_argument("--token-life", type=int, default=14400, help="seconds")
    parser.add_argument("--per-minute", type=int, default=200, help="0: no limit")
    return parser.parse_args()


def main():
    args = parse_args()
    server = Server((args.host, args.port), Handler)
    server.world = World(args)
    if args.world:
        with open(args.world, encoding="utf-8") as file:
            server.world.first = json.load(file)["ticketDefinitions"]
        server.world.reset()
    print("listening %d" % server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
