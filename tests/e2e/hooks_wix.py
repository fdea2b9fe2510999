#!/usr/bin/env python3
"""Wix tells of a change by a webhook: it is known seconds later, though nobody polls. A webhook is a rumour: what the source
does not say too has no effect, and what gets lost, comes twice, late, in another order or by thousands costs no more than
some reads."""
import concurrent.futures
import http.client
import json
import os
import sys
import threading
import time

from launch import EVENT, FAKES, Launch, check, free_port, moment, now_ms, tell

sys.path.insert(0, FAKES)
import wix_hooks  # noqa: E402

HOUR_MS = 3600000
INSTANCE = "c6f1b3a7-2e94-4d58-8b0f-a17d5c3e9264"
DEFINITION = wix_hooks.EVENT_TYPE
OTHER = "00000000-0000-4000-8000-000000000001"


class House(Launch):
    """The site tells of its changes, and is not asked by itself again for an hour."""

    def __init__(self, poll_every="1h", opens_in=3600, tells=True, **hooks):
        super().__init__(people=6, opens_in=opens_in)
        self.port, self.tells, self.hooks = free_port(), tells, hooks
        self.key = wix_hooks.make_key(self.path("app.pem"))
        self.config["http"]["listen"].append("127.0.0.1:%d" % self.port)
        self.site.update(webhook_key_file="app.pem.pub", poll_every=poll_every, full_walk_every="1h")
        self.url = "http://127.0.0.1:%d/hooks/wix/arena" % self.port

    def run(self):
        super().run()
        self.until(lambda: self.notice(), "the sale to be planned")
        if self.tells:
            self.wix.control({"do": "hooks", "url": self.url, "key": self.key, **self.hooks})
        self.wix.control({"do": "clear_log"})

    def post(self, token, path="/hooks/wix/arena", method="POST", kind="application/octet-stream"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, token, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def token(self, event, event_type, how="", key=None, **more):
        return wix_hooks.sign(key or self.key, wix_hooks.wrap(event, event_type, INSTANCE, **more), how)

    def about(self, ident, slug="updated", sequence=1, **fields):
        return wix_hooks.domain_event(slug, dict({"id": ident, "eventId": EVENT, "revision": "1"}, **fields), sequence)

    def reads(self):
        """What the daemon asked the site since, as the ids it named; a walk names none."""
        asked = []
        for one in self.wix.get("/_log")["requests"]:
            if one["kind"] == "get":
                asked.append([one["path"].split("?")[0].rsplit("/", 1)[1]])
            elif one["kind"] == "query":
                asked.append(json.loads(one["body"])["query"].get("filter", {}).get("id", {}).get("$in", []))
        return asked

    def move(self, by_ms):
        """All of the event opens later; known when its notice is."""
        at_ms = self.opens_at_ms // 60000 * 60000 + by_ms
        self.wix.control([{"do": "move", "id": one, "startDate": moment(at_ms)} for one in self.members])
        return at_ms

    def planned(self, at_ms):
        found = self.notices(at_ms=at_ms)
        return found and found[-1]["state"] == "planned" and found[-1]

    def shown(self):
        """What the openings to come are of."""
        return [one["id"] for opening in self.ask("openings") if opening["state"] == "scheduled" for one in opening["definitions"]]

    def plan(self):
        return [(one["id"], one["state"], one["opens_at"]) for one in self.ask("notices")] + self.shown()

    def known(self, at_ms, what):
        began = time.monotonic()
        self.until(lambda: self.planned(at_ms), what, 15)
        print("# %s: %.1f s" % (what, time.monotonic() - began), flush=True)


def known_soon():
    with House() as launch:
        launch.run()
        at_ms = launch.move(HOUR_MS)
        launch.known(at_ms, "the sale that moved to be known")
        check([] not in launch.reads(), "the site was walked: %s", launch.reads())
        late = launch.members[0]
        launch.wix.control({"do": "delete", "id": late})
        launch.until(lambda: late not in launch.shown(), "one to go", 15)
        fresh = dict(launch.wix.get("/_world")["ticketDefinitions"][0], id=OTHER, eventId=EVENT, revision="1", hidden=False,
                     salePeriod={"startDate": moment(at_ms + HOUR_MS), "endDate": None, "displayNotOnSale": True})
        launch.wix.control({"do": "put", "definition": fresh})
        launch.known(at_ms + HOUR_MS, "one that was made to be known")
        # an event changes without its definitions: only its own webhook tells
        launch.wix.control([{"do": "hooks"}, {"do": "event", "eventId": EVENT, "set": {"status": "CANCELED"}},
                            {"do": "hooks", "url": launch.url, "key": launch.key}])
        launch.wix.control({"do": "hook", "type": "wix.events.v3.event_canceled", "event": {
            "id": "e-1", "slug": "canceled", "entityId": EVENT, "actionEvent": {"body": {}}, "entityEventSequence": "7"}})
        launch.until(lambda: launch.notices(at_ms=at_ms)[-1]["state"] == "withdrawn", "the event to be cancelled", 15)
        # an order: what is left of its tickets is read again
        launch.wix.control({"do": "clear_log"})
        launch.wix.control({"do": "hook", "type": wix_hooks.ORDER_TYPE,
                            "event": wix_hooks.order_event(EVENT, [OTHER, OTHER], "3FQK-7ZPX-1M2")})
        launch.until(lambda: launch.reads(), "the order's tickets to be read", 15)
        check(launch.reads() == [[OTHER]], "read %s", launch.reads())
        check("aino" not in launch.log_since().lower(), "the log names who ordered")


def once_each():
    """What is known by its id stays known, also when the daemon was killed; what is older than known is passed over."""
    with House(tells=False) as launch:
        launch.run()
        one = launch.members[0]
        tokens = [launch.token(launch.about(one, sequence=5), DEFINITION + "updated"),
                  launch.token(launch.about(one, sequence=4), DEFINITION + "updated"),
                  launch.token(launch.about(one, "sale_started", sequence=3), DEFINITION + "sale_started")]
        for token in [tokens[0], *tokens, tokens[0]]:
            check(launch.post(token)[0] == 200, "not taken")
            time.sleep(0.3)
        launch.sleep(3)
        check(launch.reads() == [[one]], "read %s", launch.reads())
        launch.stop(9)
        launch.start()
        launch.until(lambda: launch.reads()[-1] == [], "the walk of the start")
        launch.wix.control({"do": "clear_log"})
        for token in tokens:
            check(launch.post(token)[0] == 200, "not taken")
        launch.sleep(3)
        check(launch.reads() == [], "read again after a restart: %s", launch.reads())
        # taken and killed at once: the walk of the start finds what it was about
        launch.wix.control({"do": "clear_log"})
        at_ms = launch.move(HOUR_MS)
        check(launch.post(launch.token(launch.about(one, sequence=9), DEFINITION + "updated"))[0] == 200, "not taken")
        launch.stop(9)
        launch.start()
        launch.known(at_ms, "what was said right before the end to be known")
        # that was revision 2: of an older one nothing is to be read
        launch.wix.control({"do": "clear_log"})
        check(launch.post(launch.token(launch.about(one, sequence=10, revision="1"), DEFINITION + "updated"))[0] == 200, "not taken")
        launch.sleep(2.5)
        check(launch.reads() == [], "read for an older revision: %s", launch.reads())


def a_rumour_is_no_truth():
    """Signed, and lying: about revisions, dates, deletion, other sites' definitions."""
    with House(tells=False) as launch:
        launch.run()
        one, before = launch.members[0], launch.plan()
        lies = [("updated", {"revision": "99", "salePeriod": {"startDate": moment(now_ms() + 60000)}}),
                ("sale_started", {"revision": "9223372036854775807", "saleStatus": "SALE_STARTED"}), ("deleted", {})]
        for number, (slug, fields) in enumerate(lies):
            event = launch.about(one, slug, number + 1, **fields)
            check(launch.post(launch.token(event, DEFINITION + slug))[0] == 200, "%s was not taken", slug)
        stranger = launch.about(OTHER, "created", 1, salePeriod={"startDate": moment(now_ms() + 60000)})
        check(launch.post(launch.token(stranger, DEFINITION + "created", layers="objects"))[0] == 200, "not taken")
        launch.until(lambda: [OTHER] in launch.reads() and [one] in launch.reads(), "both to be asked for")
        launch.sleep(3)
        check(launch.plan() == before, "the lies made %s of %s", launch.plan(), before)


def who_is_not_wix():
    with House(tells=False) as launch:
        wrong = wix_hooks.make_key(launch.path("wrong.pem"))
        launch.run()
        good = launch.about(launch.members[0])
        nasty = {how: launch.token(good, DEFINITION + "updated", how)
                 for how in ("none", "hs256", "hs256-as-rs256", "crit", "tail", "padded", "line")}
        nasty["wrong key"] = launch.token(good, DEFINITION + "updated", key=wrong)
        nasty["expired"] = launch.token(good, DEFINITION + "updated", life_s=-120)
        nasty["nothing"] = ""
        for name, token in nasty.items():
            status, says = launch.post(token)
            check(status == 401, "%s: %d %s", name, status, says)
        fine = launch.token(good, DEFINITION + "updated")
        check(launch.post(fine, "/hooks/wix/nowhere")[0] == 404, "another site")
        check(launch.post(None, method="GET")[0] == 405, "GET")
        check(launch.post("x" * 300 * 1024)[0] == 413, "too large")
        # signed, but nothing for us: Wix would say it a dozen times if it were refused
        for event, kind in ([{}, DEFINITION + "updated"], [{"entityId": "../../x"}, DEFINITION + "updated"],
                            [good, "wix.blog.v3.post_created"], [{"id": "r"}, "wix.events.v1.ticket_reservation_created"]):
            check(launch.post(launch.token(event, kind))[0] == 200, "%s was refused", kind)
        order = wix_hooks.order_event(EVENT, [], "1")
        order["checkoutForm"] = {"inputValues": [{"value": "\\\"" * 10000}]}
        large = launch.token(order, "wix.events.ticketing.events.OrderPlaced")
        check(len(large) > 100000 and launch.post(large)[0] == 200, "a large order of %d bytes was refused", len(large))
        launch.sleep(2.5)
        check(launch.reads() == [], "read %s", launch.reads())
        check(launch.post(fine)[0] == 200, "Wix itself is refused by now")
        # who guesses is slowed down, and the log says so in few lines
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: launch.post(nasty["wrong key"])[0], range(400)))
        check(set(answers) == {401, 429}, "guessing was answered %s", set(answers))
        check(0 < launch.log_since().count("event=hook_refused") <= 4, "the log: %d lines", launch.log_since().count("hook_refused"))


def a_burst():
    """Thousands in a few seconds: one read in two seconds, and all are answered at once."""
    with House(tells=False) as launch:
        launch.run()
        ids = [one["id"] for one in launch.wix.get("/_world")["ticketDefinitions"]]
        tokens = [launch.token(launch.about(ids[i % len(ids)], sequence=i + 1), DEFINITION + "updated") for i in range(60)]
        took, lock = [], threading.Lock()

        def post_some(first):
            connection = http.client.HTTPConnection("127.0.0.1", launch.port, timeout=20)
            for i in range(first, first + 100):
                began = time.monotonic()
                connection.request("POST", "/hooks/wix/arena", tokens[i % len(tokens)])
                answer = connection.getresponse()
                answer.read()
                with lock:
                    took.append((time.monotonic() - began, answer.status))
            connection.close()

        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(post_some, range(0, 2000, 100)))
        seconds = time.monotonic() - began
        launch.sleep(2.5)
        times = sorted(ms for ms, _ in took)
        print("# 2000 webhooks in %.1f s: answered in %.1f ms (median), %.1f ms (99th), %.1f ms (last)" % (
            seconds, times[1000] * 1000, times[1980] * 1000, times[-1] * 1000), flush=True)
        check({status for _, status in took} == {200}, "answered %s", {status for _, status in took})
        rounds = launch.log_since().count("event=read_again")
        check(1 <= rounds <= 3 + (seconds + 2.5) / 2, "%d reads in %.1f s", rounds, seconds + 2.5)
        check(launch.reads().count([]) <= 1, "the site was walked more than once")  # once, if some were too many to be noted


def in_any_order():
    """Twice, late, shuffled, to a daemon that is down in between: in the end we know what the source says."""
    with House(twice=True, shuffle=True, late_ms=300, as_json=True) as launch:
        launch.run()
        for number in range(1, 4):
            at_ms = launch.move(number * HOUR_MS)
        launch.stop(9)
        at_ms = launch.move(5 * HOUR_MS)
        time.sleep(1.5)
        launch.start()
        launch.known(at_ms, "the last word to be known")
        at_ms = launch.move(6 * HOUR_MS)
        launch.known(at_ms, "the one after it to be known")
        launch.until(lambda: all(one["status"] == 200 for one in launch.wix.get("/_hooks")["sent"][-4:]), "the last to be taken")


def quiet_at_the_gate():
    """Around a gate nothing else is read, whatever webhooks say; it is read after."""
    with House(tells=False, opens_in=6) as launch:
        launch.run()
        other = next(one["id"] for one in launch.wix.get("/_world")["ticketDefinitions"] if one["eventId"] != EVENT)
        launch.wait("ready")
        for number in range(20):
            check(launch.post(launch.token(launch.about(other, sequence=number + 1), DEFINITION + "updated"))[0] == 200, "refused")
        launch.wait("done")
        launch.agree(launch.eligible())
        launch.until(lambda: [other] in launch.reads(), "it to be read behind the gate", 30)
        log = launch.log_since()
        check(log.index("action=release") < log.index("event=read_again"), "read at the gate")


def many_sites_of_an_app():
    """An app has one address: the instance says which of its sites it is about."""
    with House(tells=False) as launch:
        del launch.site["site_id"], launch.site["api_key_file"]
        launch.write("wix.secret", "test-secret\n")
        launch.site.update(client_id="test-client", client_secret_file="wix.secret", instance_id=INSTANCE)
        launch.config["sites"].append(dict(launch.site, name="hall", instance_id=OTHER))
        launch.rule["sites"] = ["arena"]
        launch.run()
        one = launch.members[0]
        about_arena = launch.token(launch.about(one), DEFINITION + "updated")
        check(launch.post(about_arena, "/hooks/wix/hall")[0] == 200, "not taken")
        launch.until(lambda: [one] in launch.reads(), "the site that it is about to be asked", 15)
        nobody = wix_hooks.wrap(launch.about(one, sequence=2), DEFINITION + "updated", "ffffffff-0000-4000-8000-000000000000")
        launch.wix.control({"do": "clear_log"})
        check(launch.post(wix_hooks.sign(launch.key, nobody))[0] == 200, "not taken")
        launch.sleep(2.5)
        check([one] not in launch.reads(), "read for an instance of nobody's")


def a_key_that_is_none():
    with House(tells=False) as launch:
        launch.write("bad.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
        launch.site["webhook_key_file"] = "bad.pem"
        launch.write_config()
        done = launch.try_onsale("check")
        check(done.returncode != 0 and "webhook_key_file: " in done.stderr + done.stdout and "BEGIN PUBLIC KEY" in done.stderr + done.stdout,
              "check said %s %s", done.stdout, done.stderr)
        check(not os.path.exists(launch.path("onsale.db")), "it ran")


if __name__ == "__main__":
    tell([quiet_at_the_gate, known_soon, once_each, a_rumour_is_no_truth, who_is_not_wix, a_burst, in_any_order,
          many_sites_of_an_app, a_key_that_is_none])
