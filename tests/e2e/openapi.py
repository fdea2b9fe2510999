#!/usr/bin/env python3
"""What scheduler/openapi.json says of the API, and what the daemon does, are the same: the document is a good one, has every
route of the program and no other, and each of its operations is called on a daemon with a small launch in it, by the unix socket
and over TCP, by who may and who may not, with what is right and what is wrong. An answer that the document does not describe
fails, as does a key of an answer that it does not name, and an operation that was never called."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse

import jsonschema

import small

OPERATIONS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
TOKENS = {"control": "Y29udHJvbCBvZiB0aGUgdGVzdCwgbG9uZw==", "read": "cmVhZGluZyBvZiB0aGUgdGVzdCwgbG9uZw==",
          "hook": "aG9va3Mgb2YgdGhlIHRlc3QsIGxvbmcgZW5v"}
NEVER = object()


def document():
    with open(os.path.join(small.SOURCE, "scheduler", "openapi.json"), encoding="utf-8") as file:
        return json.load(file)


def operations(doc):
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            if method in OPERATIONS:
                yield path, method.upper(), operation


# --- The document itself


def each(value, place=""):
    """Every object in the document, with where it stands."""
    if isinstance(value, dict):
        yield place, value
        for key, inside in value.items():
            yield from each(inside, f"{place}/{key}")
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from each(inside, f"{place}/{index}")


def resolve(doc, value):
    while "$ref" in value:
        found = doc
        for key in value["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        value = found
    return value


def validator(doc, schema):
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": doc["components"], **schema}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


def fits(doc, schema, value, what):
    errors = sorted(validator(doc, schema).iter_errors(value), key=lambda error: list(error.absolute_path))
    assert not errors, "%s: %s: %s" % (what, "/".join(str(part) for part in errors[0].absolute_path), errors[0].message[:2000])


def is_good(doc):
    """By the specification's own schema (of the npm package that tests/package.json pins), and by our own wish."""
    official = os.path.join(small.SOURCE, "tests/node_modules/@seriousme/openapi-schema-validator/schemas/v3.1/schema.json")
    with open(official, encoding="utf-8") as file:
        schema = json.load(file)
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(doc))
    assert not errors, errors[0]
    refs = {value["$ref"] for _, value in each(doc) if isinstance(value.get("$ref"), str)}
    for target in refs:
        resolve(doc, {"$ref": target})
    for kind, named in doc["components"].items():
        for name in named:
            # An event's schema is found by the event's name: a stream has no schema of its own.
            assert kind == "securitySchemes" or name.startswith("Event") or f"#/components/{kind}/{name}" in refs, f"{kind}/{name}: nobody uses it"
    for place, value in each(doc):
        if isinstance(value.get("schema"), dict):
            jsonschema.Draft202012Validator.check_schema(value["schema"])
            if "example" in value:
                fits(doc, value["schema"], value["example"], place)
        if value.get("type") == "object" and "properties" in value:
            assert value.get("additionalProperties") is False, f"{place}: additionalProperties"
    for name, schema in doc["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", []):
            fits(doc, schema, example, name)
    names = [operation["operationId"] for _, _, operation in operations(doc)]
    assert len(names) == len(set(names)), "an operationId is there twice"
    tags = {tag["name"] for tag in doc["tags"]}
    for path, method, operation in operations(doc):
        assert operation["summary"] and set(operation["tags"]) <= tags, (method, path)
        declared = {p["name"] for p in parameters(doc, operation) if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), f"{method} {path}: path parameters {declared}"


def parameters(doc, operation):
    return [resolve(doc, parameter) for parameter in operation.get("parameters", [])]


def is_whole(doc):
    """The same operations as the program's table, with the same scopes, fields and parameters."""
    types = {"s": "string", "b": "boolean", "i": "integer", "a": "array", "l": "array"}
    printed = subprocess.run([os.path.join(small.BUILD, "tests", "routes")], stdout=subprocess.PIPE, check=True)
    routes = [json.loads(line) for line in printed.stdout.splitlines()]
    mine = {}
    for route in routes:
        fields = dict(field.split(":") for field in route["fields"].split())
        mine[route["method"], "/api/v1/" + route["path"].replace("ID", "{notice}")] = (
            "read" if route["reads"] else "control", {name: types[letter] for name, letter in fields.items()},
            set(route["query"].split()))
    written = {}
    for path, method, operation in operations(doc):
        if not path.startswith("/api/v1/"):
            assert operation["security"] == [], path
            continue
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        fields = {name: resolve(doc, field)["type"] for name, field in resolve(doc, schema).get("properties", {}).items()}
        [scope] = operation["security"][0]["token"]
        written[method, path] = (scope, fields, {p["name"] for p in parameters(doc, operation) if p["in"] == "query"})
    assert set(mine) == set(written), "the program alone has %s, the document alone %s" % (
        sorted(set(mine) - set(written)), sorted(set(written) - set(mine)))
    for key, program in mine.items():
        assert program == written[key], f"{key}: the program has {program}, the document {written[key]}"


# --- Calling


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Api:
    """Calls the daemon, and holds every answer against the document."""

    def __init__(self, doc, b, port):
        self.doc, self.b, self.port = doc, b, port
        self.called, self.events = set(), set()

    def operation(self, method, path):
        for template, verb, operation in operations(self.doc):
            if verb == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
                return operation
        return None

    def ask(self, method, path, body=NEVER, token=None, tcp=False, query="", headers=None, raw=None):
        """(status, headers, what was answered); `token` means TCP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30) if tcp or token is not None \
            else Unix(self.b.path("onsale.sock"))
        fields = dict(headers or {})
        if body is not NEVER:
            raw = json.dumps(body).encode()
        if raw is not None:
            fields.setdefault("Content-Type", "application/json")
        if token:
            fields["Authorization"] = "Bearer " + TOKENS.get(token, token)
        connection.request(method, path + (f"?{query}" if query else ""), body=raw, headers=fields)
        answer = connection.getresponse()
        operation = self.operation(method, path)
        if answer.status == 200 and answer.getheader("Content-Type").startswith("text/event-stream"):
            content = self.some_events(connection, answer)
        else:
            content = answer.read()
        connection.close()
        return answer.status, answer, self.hold(operation, method, path, answer, content)

    def some_events(self, connection, answer):
        """What happened so far: each event's data is as the document has it for its name."""
        connection.sock.settimeout(0.5)
        content, end = b"", time.time() + 5
        try:
            while time.time() < end:
                content += answer.read1(65536)
        except TimeoutError: # half a second of silence
            pass
        schemas = {names.strip(): name for name, schema in self.doc["components"]["schemas"].items() if name.startswith("Event")
                   for names in schema["description"].split(":")[0].split(",")}
        for block in content.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if fields.get("event", "reset") != "reset":
                self.events.add(fields["event"])
                fits(self.doc, {"$ref": "#/components/schemas/" + schemas[fields["event"]]}, json.loads(fields["data"]), block)
        return content

    def hold(self, operation, method, path, answer, content):
        """Against the document; parsed."""
        what = f"{method} {path}: {answer.status}"
        kind = answer.getheader("Content-Type")
        assert answer.status == 304 or answer.getheader("X-Content-Type-Options") == "nosniff", what
        if operation is None:
            assert answer.status in (404, 405), f"{what}: {content[:300]!r}"
            fits(self.doc, {"$ref": "#/components/schemas/Problem"}, json.loads(content), what)
            return json.loads(content)
        assert str(answer.status) in operation["responses"], f"{what}: not in the document: {content[:500]!r}"
        said = resolve(self.doc, operation["responses"][str(answer.status)])
        self.called.add((operation["operationId"], answer.status))
        for name, header in said.get("headers", {}).items():
            header = resolve(self.doc, header)
            value = answer.getheader(name)
            assert value is not None or not header.get("required"), f"{what}: no {name}"
            if value is not None:
                fits(self.doc, header["schema"], value, f"{what}: {name}")
        assert answer.getheader("Link") is None or "Link" in said.get("headers", {}), f"{what}: a Link"
        if "content" not in said:
            assert not content, f"{what}: {content[:300]!r}"
            return None
        assert kind in said["content"], f"{what}: {kind} is not in the document"
        if not kind.endswith("json"):
            return content
        value = json.loads(content)
        fits(self.doc, said["content"][kind]["schema"], value, what)
        if answer.status >= 400:
            assert value["status"] == answer.status and value["title"] == answer.reason, (what, value)
        return value

    def fine(self, method, path, body=NEVER, **more):
        status, _, value = self.ask(method, path, body, **more)
        assert status == 200, (method, path, body, status, value)
        return value

    def refused(self, expected, method, path, body=NEVER, **more):
        status, answer, value = self.ask(method, path, body, **more)
        assert status == expected, (method, path, body, more, status, value)
        return answer, value


def get(api, path, **more):
    """By the unix socket and by the tokens that may: the same, as soon as nothing moves in between."""
    here = api.fine("GET", "/api/v1/" + path, **more)
    for token in ("read", "control") if path != "backup" else ("control",):
        there, tries = api.fine("GET", "/api/v1/" + path, token=token, **more), 0
        while path not in ("status", "events", "backup") and there != here:
            assert tries < 100, path
            tries += 1
            time.sleep(0.05)
            here = api.fine("GET", "/api/v1/" + path, **more)
            there = api.fine("GET", "/api/v1/" + path, token=token, **more)
    return here


def post(api, path, body=NEVER, **more):
    more.setdefault("token", "control")
    return api.fine("POST", "/api/v1/" + path, body, **more)


# --- The story


def look_around(api):
    """Everything that only tells, as things stand now."""
    get(api, "status")
    get(api, "openings")
    for notice in get(api, "notices"):
        get(api, f"notices/{notice['id']}")
        people = {person["seq"] for person in get(api, f"notices/{notice['id']}/people")}
        for state in ("waiting", "claimed", "accepted", "refused", "in_doubt", "withheld"):
            some = get(api, f"notices/{notice['id']}/people", query=f"state={state}")
            assert all(person["state"].replace(" ", "_") == state for person in some)
            assert {person["seq"] for person in some} <= people
    get(api, "suppressions")
    assert get(api, "audit")["problems"] == []
    for address in ("ada@fans.example", "carol@fans.example", "nobody@fans.example"):
        assert post(api, "why", {"address": address}, token="read")["address"] == address
    for body in ({"rule": "on-sale"}, {"rule": "ending", "language": "de"}, {"rule": "on-sale", "notice": 1},
                 {"rule": "on-sale", "notice": 1, "subscriber": "ada@fans.example"},
                 {"rule": "on-sale", "notice": 1, "subscriber": "nobody@fans.example", "language": "de"}):
        preview = post(api, "preview", body, token="read")
        assert "Subject: " in preview["message"]
        assert (len(preview["notes"]) == 2) == (body.get("subscriber") == "nobody@fans.example")


def who_paused(api, target):
    return [pause["who"] for pause in get(api, "status")["pauses"] if pause["target"] == target]


def launch(api, b):
    """A notice before, while and after it is sent; a second one that is steered to its end."""
    b.wait(lambda: len(b.json("notices")) == 2)
    look_around(api)
    post(api, "suppress", {"address": "bert@fans.example"})
    post(api, "suppress", {"address": "dan@fans.example", "audience": "fans", "reason": "complaint"})
    for reason in "asked by phone", "erased":
        assert api.refused(400, "POST", "/api/v1/suppress", {"address": "a@b.example", "reason": reason}, token="control")
    assert api.refused(400, "POST", "/api/v1/suppress", {"address": "a@b.example", "audience": "moon"}, token="control")
    post(api, "pause", {"target": "notifier:mail"})
    assert who_paused(api, "notifier:mail") == ["token control"]
    post(api, "resume", {"target": "notifier:mail"})
    post(api, "pause", {})
    post(api, "pause", {"target": "notice:1"}, token=None)
    assert len(who_paused(api, "notice:1")) == 1 and "token" not in who_paused(api, "notice:1")[0]
    post(api, "resume", {})
    assert get(api, "status")["pauses"] == []
    for verb in ("hold", "release"):
        assert post(api, f"notices/2/{verb}", {} if verb == "hold" else {"anyway": False})["paused"] == (verb == "hold")
    api.refused(409, "POST", "/api/v1/notices/2/again", token="control")
    b.wait(lambda: b.state(1) in ("gathering", "ready", "sending", "done"))
    look_around(api)
    b.wait(lambda: b.state(1) == "done")
    b.wait(lambda: b.json("show", "1")["counts"]["accepted"] == 2)
    look_around(api)
    assert post(api, "notices/1/retry", {"withheld": "suppressed"})["people"] == 1
    assert post(api, "notices/1/retry", {"refused": 0})["people"] == 0
    assert post(api, "notices/1/retry", {"in_doubt": True})["people"] == 0
    b.wait(lambda: b.state(1) == "done")
    again = post(api, "notices/1/again")["notice"]
    b.wait(lambda: b.state(again) == "done")
    assert b.json("show", str(again))["edition"] == 2
    assert post(api, "send-test", {"rule": "on-sale", "to": "me@arena.example"})["fate"] == "accepted"
    post(api, "notices/2/cancel")
    post(api, "resume", {"this_is_the_one": True})
    post(api, "sync")
    assert [row["place"] for row in get(api, "webhooks")] == ["http://127.0.0.1:1/..."]
    assert post(api, "webhooks/test", {"name": "nobody"})["error"]
    post(api, "webhooks/enable", {"name": "nobody"})
    for what in "test", "enable":
        api.refused(404, "POST", "/api/v1/webhooks/" + what, {"name": "moon"}, token="control")
        api.refused(400, "POST", "/api/v1/webhooks/" + what, {}, token="control")
    for address in ("bert@fans.example", "dan@fans.example"):
        audience = {"audience": "fans"} if address.startswith("dan") else {}
        post(api, "unsuppress", {"address": address, **audience})
    assert get(api, "suppressions") == []
    look_around(api)
    take_away(api, b)
    calendars(api, b)
    for path, body in (("notices/2/hold", NEVER), ("notices/2/release", NEVER), ("notices/2/cancel", NEVER),
                       ("notices/2/retry", {"in_doubt": True})):
        api.refused(409, "POST", "/api/v1/" + path, body, token="control")


def calendars(api, b):
    """For who has the link: made, listed a page at a time, given another, revoked; also before anything was published."""
    link = post(api, "feeds", {"name": "radio", "site": "arena"})
    assert link["path"].startswith("/feeds/t/") and link["url"] is None
    for name in "tv", "press":
        post(api, "feeds", {"name": name, "site": "arena", "event": ""})
    *_, rows = walk(api, "feeds")
    assert [row["name"] for row in rows] == ["radio", "tv", "press"] and rows == get(api, "feeds")
    assert post(api, "feeds/rotate", {"name": "tv"})["path"] not in (None, link["path"])
    post(api, "feeds/revoke", {"name": "tv"})
    assert [row["name"] for row in get(api, "feeds") if row["revoked_at"]] == ["tv"]
    for path, body, status in (("feeds", {"name": "radio", "site": "arena"}, 409), ("feeds", {"name": "x", "site": "moon"}, 404),
                               ("feeds", {"name": "x", "site": "arena", "event": "moon"}, 404), ("feeds/rotate", {"name": "x"}, 404),
                               ("feeds/revoke", {"name": "x"}, 404), ("feeds/revoke", {"name": "tv"}, 409),
                               ("feeds/rotate", {"name": "tv"}, 409), ("feeds", {"name": "a@b.example", "site": "arena"}, 400)):
        api.refused(status, "POST", "/api/v1/" + path, body, token="control")


def take_away(api, b):
    """What else a person or a machine may have: the state, the news, all that is held, oblivion."""
    state = get(api, "backup")
    assert state.startswith(b"SQLite format 3\0")
    get(api, "events", headers={"Last-Event-ID": "%d-0" % get(api, "status")["generation"]})
    get(api, "events", query="types=notice,pause&last_event_id=0-1")
    assert {"notice", "opening", "pause", "resume"} <= api.events, api.events
    for query in ("types=moon", "notice=0", "notice=x"):
        api.refused(400, "GET", "/api/v1/events", query=query, token="read")
    assert post(api, "bounces", {"address": "ada@fans.example", "kind": "soft", "status": "4.2.2", "text": "over quota"})["known"]
    assert not post(api, "bounces", {"tokens": ["a" * 26], "kind": "hard"})["known"]
    held = post(api, "export", {"address": "ada@fans.example"})
    assert held["people"][0]["name"] == "Ada Nowak" and held["feedback"] and held["words"]
    assert post(api, "erase", {"address": "ada@fans.example"})["known"]
    assert not post(api, "erase", {"address": "nobody@fans.example"})["known"]
    assert post(api, "export", {"address": "ada@fans.example"})["people"] == []
    assert post(api, "why", {"key": held["key"]}, token="read")["notices"]
    list_of = {"entries": [{"address": "eve@fans.example"}, {"key": "0" * 32, "scope": "fans", "reason": "unsubscribe"}]}
    assert post(api, "suppressions", {**list_of, "check": True})["new"] == 0
    assert post(api, "suppressions", list_of)["new"] == 2
    assert post(api, "suppressions", list_of)["new"] == 0


def walk(api, path, query=""):
    """The rows of a listing a page at a time, by its Links alone."""
    rows, url = [], f"/api/v1/{path}?limit=1" + (f"&{query}" if query else "")
    while url:
        parts = urllib.parse.urlsplit(url)
        status, answer, page = api.ask("GET", parts.path, token="read", query=parts.query)
        assert status == 200 and len(page) <= 1, (url, status, page)
        rows += page
        link = answer.getheader("Link")
        url = link and link[1:link.index(">")]
        yield rows


def pages(api):
    """Page by page it is the same as whole, and who comes meanwhile drives nobody out."""
    for path, query in (("openings", ""), ("notices", ""), ("notices/1/people", ""), ("notices/1/people", "state=accepted")):
        *_, rows = walk(api, path, query)
        assert rows == get(api, path, query=query), path
        assert len(rows) >= (1 if path == "openings" else 2), (path, rows)
    names = [f"page{number}@fans.example" for number in range(5)]
    known = {row["key"] for row in get(api, "suppressions")}
    post(api, "suppress", {"address": names[0]})
    [gone] = {row["key"] for row in get(api, "suppressions")} - known
    for name in names[1:]:
        post(api, "suppress", {"address": name})
    before = get(api, "suppressions")
    for number, rows in enumerate(walk(api, "suppressions")):
        post(api, "suppress", {"address": f"late{number}@fans.example"})
        if number == 1:
            post(api, "unsuppress", {"address": names[0]})
    keys = [row["key"] for row in rows]
    assert len(keys) == len(set(keys)), "somebody twice"
    assert [row["key"] for row in before if row["key"] != gone] == keys, (before, rows)
    api.refused(400, "GET", "/api/v1/notices/1/people", query="cursor=" + "n1", token="read")


# --- What is wrong


def one_path(path):
    return path.replace("{notice}", "1")


def strangers(api):
    """No token, a wrong one, one that may too little: each is told so, and nothing happens."""
    for path, method, operation in operations(api.doc):
        if not operation["security"]:
            api.ask(method, path, tcp=True)
            continue
        [scope] = operation["security"][0]["token"]
        answer, _ = api.refused(401, method, one_path(path), tcp=True)
        assert "error=" not in answer.getheader("WWW-Authenticate"), path
        for wrong in ("a", "Y29udHJvbCBvZiB0aGUgdGVzdCwgbG9uZw", TOKENS["control"] + "=", TOKENS["control"].lower(), "x" * 3000):
            answer, _ = api.refused(401, method, one_path(path), token=wrong)
            assert 'error="invalid_token"' in answer.getheader("WWW-Authenticate"), path
        api.refused(401, method, one_path(path), tcp=True, headers={"Authorization": "Basic Y29udHJvbDpjb250cm9s"})
        api.refused(401, method, one_path(path), tcp=True, query="access_token=" + TOKENS["control"])
        for little in ("hook",) if scope == "read" else ("hook", "read"):
            answer, _ = api.refused(403, method, one_path(path), token=little)
            assert f'error="insufficient_scope", scope="{scope}"' in answer.getheader("WWW-Authenticate"), path


def wrong_values(schema):
    values = {"string": [7, True, None, [], {}, "x" * 1001], "boolean": ["true", 1, None, []],
              "integer": ["1", 1.5, True, None, []], "array": ["x", 1, None, {}, ["x"] * 501]}
    return values[schema["type"]]


def wrong_bodies(api):
    """Every field of the wrong type, one that is none, too long, twice; no JSON at all: 400, and the field is named."""
    for path, method, operation in operations(api.doc):
        if "requestBody" not in operation or "application/json" not in operation["requestBody"]["content"]:
            continue
        where, good = one_path(path), operation["requestBody"]["content"]["application/json"]["example"]
        schema = resolve(api.doc, operation["requestBody"]["content"]["application/json"]["schema"])
        for name, field in schema["properties"].items():
            for value in wrong_values(resolve(api.doc, field)):
                _, problem = api.refused(400, method, where, {**good, name: value}, token="control")
                assert problem["errors"][0]["pointer"] == "#/" + name, (where, name, value, problem)
                assert name in problem["detail"], problem
        for name in schema.get("required", []):
            _, problem = api.refused(400, method, where, {k: v for k, v in good.items() if k != name}, token="control")
            assert problem["errors"][0]["pointer"] == "#/" + name, (where, name, problem)
        _, problem = api.refused(400, method, where, {**good, "colour": "red"}, token="control")
        assert problem["errors"][0]["pointer"] == "#/colour", problem
        for raw in (b"{", b"[]", b"7", b'"text"', b"null", b"\xff", b'{"a": "\\ud800"}', b'{"a": 1, "a": 1}', b"[" * 60000):
            api.refused(400, method, where, token="control", raw=raw)
            api.refused(400, method, where, raw=raw)
        api.refused(413, method, where, token="control", raw=b'{"a": "' + b"x" * 70000 + b'"}')
        api.refused(415, method, where, token="control", raw=b"{}", headers={"Content-Type": "text/plain"})


def wrong_places(api):
    """Parameters out of their bounds, methods that are not there, things that are not there."""
    for path, method, operation in operations(api.doc):
        names = {p["name"] for p in parameters(api.doc, operation) if p["in"] == "query"}
        for name in names & {"limit", "cursor", "state"}:
            values = {"limit": ("0", "-1", "10001", "many", "1%20"), "state": ("gone", "", "in+doubt"),
                      "cursor": ("1", "", "o", "x17", "o-1", "o99999999999999999999", "..%2F", "s1~2~3", "%F0%9F%8E%AB",
                                 "s2027-03-26T08:00:00.000Z~00112233445566778899aabbccddeeff~%22")}[name]
            for value in values:
                _, problem = api.refused(400, method, one_path(path), token="read", query=f"{name}={value}")
                assert problem.get("errors", [{}])[0].get("parameter") == name, (path, name, value, problem)
        if method == "GET" and operation["security"]: # where nobody expects a body, none is taken
            api.refused(400, method, one_path(path), {"colour": "red"}, token="control")
            api.refused(413, method, one_path(path), token="control", raw=b"x" * 70000)
        if "404" in operation["responses"] and "{notice}" in path:
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", NEVER)
            api.refused(404, method, path.replace("{notice}", "999999"), body, token="control")
        allowed = {verb for other, verb, _ in operations(api.doc) if other == path} | ({"HEAD"} if method == "GET" else set())
        for verb in {"GET", "PUT", "POST", "DELETE"} - allowed:
            answer, _ = api.refused(405, verb, one_path(path), token="control")
            allow = set(answer.getheader("Allow").split(", "))
            # What no path takes is refused before the path is looked at, with all that the server understands.
            assert allow == allowed or (verb in ("PUT", "DELETE") and allow > allowed), (path, verb, allow)
    for path in ("", "notices/", "notices/1/", "notices/x", "notices/0", "notices/1/people/1", "nothing", "Status", "notices/-1"):
        api.refused(404, "GET", "/api/v1/" + path, token="control")
    _, problem = api.refused(404, "POST", "/api/v1/send-test", {"rule": "on-sael", "to": "me@arena.example"}, token="control")
    assert 'did you mean "on-sale"' in problem["detail"]
    for body, status in (({"rule": "on-sael"}, 404), ({"rule": "ending", "notice": 1}, 404),
                         ({"rule": "on-sale", "notice": 99}, 404)):
        api.refused(status, "POST", "/api/v1/preview", body, token="read")
    for target in ("notice:99", "notifier:pigeon"):
        for verb in ("pause", "resume"):
            api.refused(404, "POST", f"/api/v1/{verb}", {"target": target}, token="control")


def the_document(api):
    """It is served to anybody, byte by byte, and not twice to who has it."""
    status, answer, value = api.ask("GET", "/api/openapi.json", tcp=True)
    assert status == 200 and value == api.doc and "no-store" not in answer.getheader("Cache-Control")
    tag = answer.getheader("ETag")
    for have in (tag, f'"x", {tag}', "W/" + tag):
        assert api.ask("GET", "/api/openapi.json", tcp=True, headers={"If-None-Match": have})[0] == 304
    assert api.ask("GET", "/api/openapi.json", tcp=True, headers={"If-None-Match": '"x"'})[0] == 200


def everything_called(api):
    never = {(operation["operationId"], int(status)) for _, _, operation in operations(api.doc)
             for status in operation["responses"]} - api.called
    for _, _, operation in operations(api.doc):
        assert (operation["operationId"], 200) in api.called, operation["operationId"] + ": never called with success"
    # What a daemon that is well does not answer: its store fails, it is starting, somebody asks too often.
    left = sorted((name, status) for name, status in never if status not in (409, 429, 500, 503, 507))
    assert not left, f"the document says it, nobody saw it: {left}"


def other_tokens(api, b):
    """A reload: whoever's token was changed has to have the new one."""
    fresh = "YW5vdGhlciByZWFkaW5nIHRva2VuLCBsb25n"
    b.write("read.token", fresh + "\n")
    b.daemon.send_signal(signal.SIGHUP)
    b.wait(lambda: "event=reloaded" in open(b.path("log"), encoding="utf-8").read())
    api.refused(401, "GET", "/api/v1/status", token="read")
    api.fine("GET", "/api/v1/status", token=fresh)
    api.fine("GET", "/api/v1/status", token="control")


def nothing_leaks(b):
    with open(b.path("log"), encoding="utf-8") as file:
        log = file.read()
    for token in TOKENS.values():
        assert token not in log and token.lower() not in log
    assert "event=not_let_in" in log and 'who="token control"' in log
    assert log.count("event=not_let_in") < 40, "a guesser fills the log"
    assert "fans.example" not in log


def test(b):
    doc = document()
    is_good(doc)
    is_whole(doc)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, token in TOKENS.items():
        b.write(name + ".token", token + "\n")
    tokens = ", ".join("{name: %s, token_file: %s.token, scope: %s}" % (name, name, name) for name in TOKENS)
    with open(b.path("onsale.yaml"), encoding="utf-8") as file:
        config = file.read()
    b.write("onsale.yaml", config.replace(
        'http: {listen: ["unix:', 'http: {rate: 100000/s, tokens: [%s], listen: ["127.0.0.1:%d", "unix:' % (tokens, port)))
    with open(b.path("onsale.yaml"), "a", encoding="utf-8") as file:
        file.write("webhooks: [{name: nobody, url: http://127.0.0.1:1/hook, allow_private: true, "
                   "secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}]\n")
    b.sale(6)
    b.start()
    api = Api(doc, b, port)
    launch(api, b)
    pages(api)
    strangers(api)
    wrong_bodies(api)
    wrong_places(api)
    the_document(api)
    everything_called(api)
    other_tokens(api, b)
    b.stop()
    nothing_leaks(b)


if __name__ == "__main__":
    small.main(test)
