#!/usr/bin/python3
"""GET /metrics with the real binary: who may read it, whether Prometheus can, in every state of a launch, and whether its sums are
those of the ledger."""
import base64
import http.client
import os
import re
import socket
import subprocess
import time

from hooks_signed import House
from launch import BUILD, Launch, check, free_port, tell
from webhooks import Receiver, endpoint

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)\Z')
LABEL = re.compile(r'([a-zA-Z_]+)="((?:[^"\\\n]|\\[\\"n])*)"')
TOKENS = {scope: scope[0] * 30 for scope in ("read", "control", "hook", "metrics")}


def promtool(text, what):
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30)
    check(done.returncode == 0 and not done.stdout, "promtool, %s: %s", what, done.stdout.decode()[:2000])


def ask(launch, method="GET", port=None, path="/metrics", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if port is None:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(launch.path("onsale.sock"))
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


class Metrics(dict):
    """{(name, (label, value), ...): number}, read by a parser of our own; each text goes by promtool, too."""

    def __init__(self, text, what):
        super().__init__()
        check("@" not in text, "an address, %s", what)
        promtool(text, what)
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            found = SAMPLE.match(line)
            check(found, "no sample: %s", line)
            key = (found[1], *LABEL.findall(found[2] or ""))
            check(key not in self, "twice: %s", key)
            self[key] = float(found[3])

    def of(self, name, /, **labels):
        """The sum of what has these labels; None when nothing has."""
        values = [value for (has, *pairs), value in self.items() if has == name and labels.items() <= dict(pairs).items()]
        return sum(values) if values else None

    def expect(self, value, name, /, **labels):
        check(self.of(name, **labels) == value, "%s%s: expected %s, found %s", name, labels or "", value, self.of(name, **labels))


def scrape(launch, what):
    answer, text = ask(launch)
    check(answer.status == 200, "%s: %d %s", what, answer.status, text[:300])
    check(answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", "%s", answer.headers["Content-Type"])
    return Metrics(text, what)


def agrees(metrics, notice, counted_here):
    """People by fate as `show` has them; the counters, too, when everything happened since the start."""
    for fate in ("waiting", "accepted", "refused", "in_doubt", "withheld"):
        metrics.expect(notice["counts"][fate], "onsale_people", rule="on-sale", fate=fate)
    check(notice["counts"]["planned"] == metrics.of("onsale_people", rule="on-sale"), "planned: %s", notice["counts"])
    if not counted_here:
        return
    for fate in ("accepted", "refused", "in_doubt", "withheld"):
        metrics.expect(notice["by_channel"]["mail"][fate], "onsale_fates_total", notifier="mail", fate=fate)
    reasons = {reason["reason"]: reason["count"] for reason in notice["reasons"] if reason["state"] == "withheld"}
    for reason, count in reasons.items():
        metrics.expect(count, "onsale_withheld_total", notifier="mail", reason=reason)
    metrics.expect(sum(reasons.values()), "onsale_withheld_total")
    metrics.expect(notice["counts"]["accepted"] + notice["counts"]["refused"], "onsale_handover_late_seconds_count", notifier="mail")


def launch_counts():
    """Before T, while it sends, done, and after a restart: the sums are those of the ledger."""
    refuse = [{"to": "*7@*", "at": "dot", "reply": "550 5.1.1 no such user"}]
    with Launch(opens_in=7, people=400, behaviour={"refuse": refuse, "delay": {"dot": 0.02}}) as launch:
        launch.mail["rate"] = "150/s"
        launch.run()
        scrape(launch, "before T")
        left = sorted(launch.eligible())[-3:]
        launch.onsale("suppress", left[0])
        launch.wait("ready")
        ready = scrape(launch, "ready")
        ready.expect(1, "onsale_notices", state="ready")
        check(abs(ready.of("onsale_next_due_timestamp_seconds", rule="on-sale") * 1000 - launch.opens_at_ms) < 1, "next due")
        ready.expect(1, "onsale_suppressions_total", reason="operator")
        ready.expect(0, "onsale_fates_total")
        check(ready.of("onsale_audience_records_total", audience="fans") > 0, "records")
        check(ready.of("onsale_requests_total", to="audience", name="fans", outcome="ok") > 0, "requests")
        check(ready.of("onsale_site_walks_total", site="arena", kind="full", outcome="done") >= 1, "walks")
        launch.wait("sending")
        seen = launch.until(lambda: (m := scrape(launch, "sending")).of("onsale_fates_total", fate="accepted") and m, "the first fates")
        check(seen.of("onsale_notifier_waiting", notifier="mail") > 0, "waiting while sending")
        seen.expect(150, "onsale_notifier_rate_limit", notifier="mail")
        seen.expect(1, "onsale_notifier_state", notifier="mail", state="well")
        check(seen.of("onsale_notifier_window", notifier="mail") > 0, "window")
        notice = launch.wait("done")
        check(notice["counts"]["refused"] > 0 and notice["counts"]["withheld"] > 0, "%s", notice["counts"])
        done = scrape(launch, "done")
        agrees(done, notice, True)
        done.expect(1, "onsale_notices", state="done")
        done.expect(0, "onsale_notifier_claimed", notifier="mail")
        done.expect(0, "onsale_notifier_waiting", notifier="mail")
        done.expect(1, "onsale_gate_decisions_total", site="arena", action="release")
        check(done.of("onsale_gate_words_total", word="open") >= len(launch.members), "words of the gate")
        check(done.of("onsale_gate_seconds_count", site="arena") >= 1, "gate")
        late = done.of("onsale_handover_late_seconds_sum", notifier="mail") / done.of("onsale_handover_late_seconds_count", notifier="mail")
        check(0 < late < 60, "late: %s s", late)
        for name in ("onsale_store_commit_seconds_count", "onsale_loop_turn_seconds_count", "process_cpu_seconds_total",
                     "process_resident_memory_bytes", "process_open_fds", "onsale_store_room_bytes", "onsale_answer_seconds_count"):
            check(done.of(name), "%s: %s", name, done.of(name))
        check(done.of("onsale_http_requests_total", route="/metrics", code="200") >= 3, "requests of ours")
        check(abs(done.of("process_start_time_seconds") - time.time()) < 120, "start time")
        launch.stop()
        launch.start()
        again = scrape(launch, "after a restart")
        agrees(again, launch.show(), False)
        again.expect(0, "onsale_fates_total")
        again.expect(2, "onsale_generation")


def source_down():
    """No site, no notice; then the site is gone before T: the notice is held, and everything says so."""
    with Launch(opens_in=8, people=50) as launch:
        launch.rule.update(if_unverified={"wait": "2s", "then": "hold"})
        launch.site["timeout"] = "1s"
        launch.wix.control({"do": "set", "definitions": []})
        launch.wix.control({"do": "fault", "kind": "status", "status": 429, "count": 3})
        launch.start()
        empty = scrape(launch, "empty")
        empty.expect(0, "onsale_notices")
        empty.expect(float("inf"), "onsale_site_stale_seconds")
        launch.until(lambda: scrape(launch, "429").of("onsale_requests_total", outcome="limited", to="site"), "429")
        launch.stop()
        launch.wix.control({"do": "clear_faults"})
        launch.run()
        launch.wait("ready")
        launch.wix.stop()
        launch.wait("held", "unverified")
        held = scrape(launch, "held")
        held.expect(1, "onsale_notices_held", site="arena", rule="on-sale", reason="unverified")
        held.expect(1, "onsale_health", question="alive", check="notices")
        check(held.of("onsale_requests_total", to="site", name="arena", outcome="none") > 0, "requests without an answer")
        check(1 < held.of("onsale_site_stale_seconds", site="arena") < 60, "stale")
        check(held.of("onsale_gate_words_total", site="arena", word="unknown") > 0, "words of the gate")
        launch.onsale("pause", "mail")
        paused = scrape(launch, "paused")
        paused.expect(1, "onsale_notifier_paused", notifier="mail")
        paused.expect(1, "onsale_pauses")
        people = paused.of("onsale_people", fate="waiting")
        launch.onsale("cancel", launch.notice()["id"])
        notice = launch.wait("cancelled")
        cancelled = scrape(launch, "cancelled")
        agrees(cancelled, notice, False)
        check(people > 0 and cancelled.of("onsale_people", fate="waiting") == 0, "nobody waits any more: %s", people)


def who_may():
    """A token, or whoever reaches the socket when that is configured; a reload changes it."""
    with Launch(opens_in=60) as launch:
        port = free_port()
        for scope, token in TOKENS.items():
            launch.write(scope + ".token", token + "\n")
        launch.config["http"] = {
            "listen": ["unix:onsale.sock", f"127.0.0.1:{port}"],
            "tokens": [{"name": scope, "token_file": scope + ".token", "scope": scope} for scope in TOKENS]}
        launch.run()

        def status(authorization=None, **more):
            headers = {"Authorization": authorization} if authorization else {}
            return ask(launch, port=port, **headers, **more)[0].status

        def basic(password):
            return "Basic " + base64.b64encode(b"prometheus:" + password.encode()).decode()
        for expected, authorization in (
                (401, None), (401, "Bearer nobody"), (401, basic("nobody")), (403, "Bearer " + TOKENS["hook"]),
                (200, "Bearer " + TOKENS["read"]), (200, "Bearer " + TOKENS["metrics"]), (200, basic(TOKENS["metrics"])),
                (200, basic(TOKENS["control"]))):
            got = status(authorization)
            check(got == expected, "%s: %d, expected %d", authorization, got, expected)
        check(status("Bearer " + TOKENS["metrics"], path="/api/v1/notices") == 403, "a scraper reads the API")
        check(status("Bearer " + TOKENS["metrics"], method="POST") == 405, "POST")
        answer, text = ask(launch, method="HEAD", port=port, Authorization="Bearer " + TOKENS["metrics"])
        check(answer.status == 200 and not text and int(answer.headers["Content-Length"]) > 1000, "HEAD: %s", answer.headers)
        _, text = ask(launch)
        check(not [token for token in TOKENS.values() if token in text], "a token")
        launch.config["http"]["metrics"] = "open"
        launch.reload()
        check(status() == 200, "open")
        check(status(path="/api/v1/notices") == 401, "open means metrics alone")
        scrape(launch, "reloaded").expect(1, "onsale_reloads_total", outcome="done")
        launch.config["http"]["metrics"] = "token"
        launch.reload()
        check(status() == 401, "closed again")
        many = Metrics(ask(launch)[1], "at the end")
        many.expect(4, "onsale_http_requests_total", route="/metrics", code="401")


def in_and_out():
    """Webhooks of both directions, by what came of them."""
    with Receiver() as receiver, House(opens_in=8) as launch:
        receiver.answers["/broken"] = 500
        launch.config["webhooks"] = [endpoint("well", receiver.url("/well")), endpoint("broken", receiver.url("/broken"))]
        launch.run()
        launch.say("unsubscribed", {"email": "somebody@elsewhere.example"}, ident="msg_once")
        launch.say("unsubscribed", {"email": "somebody@elsewhere.example"}, "known", ident="msg_once")
        launch.say("unsubscribed", {"source_id": "nobody's"}, "nobody")
        launch.say("unsubscribed", {"email": "somebody@elsewhere.example"}, ident="msg_other")  # had left before
        launch.post({"type": "contact.unsubscribed", "data": {"email": "x@elsewhere.example"}}, signed="v1,bm90aGluZw==")
        launch.say("created", {"email": "new@elsewhere.example"}, "passed over")
        for path, status in (("arena", 503), ("nobody", 404), ("nobody/at", 404), ("t/" + 24 * "A", 404), ("t/" + 24 * "B", 404)):
            check(ask(launch, path=f"/feeds/{path}.ics")[0].status == status, "%s.ics: not %d", path, status)
        seen = launch.until(lambda: (m := scrape(launch, "webhooks")).of("onsale_requests_total", to="webhook", name="broken",
                                                                           outcome="failed") and m, "a broken webhook")
        seen = launch.until(lambda: (m := scrape(launch, "webhooks")).of("onsale_requests_total", to="webhook", name="well",
                                                                           outcome="ok") and m, "a webhook that is well")
        for outcome, calls in {"new": 2, "repeated": 1, "not_signed": 1, "other": 1, "kept": 1}.items():
            seen.expect(calls, "onsale_hooks_total", kind="signed", name="any", outcome=outcome)
        for kind, code, fetches in (("site", 503, 1), ("site", 404, 1), ("event", 404, 1), ("private", 404, 2), ("site", 200, 0)):
            seen.expect(fetches, "onsale_feed_fetches_total", kind=kind, code=str(code))
        seen.expect(0, "onsale_feed_published", site="arena")
        seen.expect(1, "onsale_suppressions_total", reason="unsubscribe")
        check(seen.of("onsale_webhooks_waiting", webhook="broken") > 0, "what waits for the broken one")
        launch.until(lambda: scrape(launch, "told").of("onsale_webhooks_waiting", webhook="well") == 0, "the well one to have all")
        seen.expect(0, "onsale_webhooks_disabled")


def bad_names():
    """Whatever a name is, promtool reads every family, and finds each under a name that says what was said."""
    text = subprocess.run([os.path.join(BUILD, "tests", "metrics-text")], stdout=subprocess.PIPE, check=True, timeout=30).stdout.decode()
    promtool(text, "hostile names")
    names = {LABEL.findall(SAMPLE.match(line)[2])[0][1] for line in text.split("\n") if line.startswith("onsale_site_definitions{")}
    check(len(names) == 14, "%d names: %s", len(names), names)


if __name__ == "__main__":
    tell([launch_counts, source_down, who_may, in_and_out, bad_names])
