#!/usr/bin/env python3
"""/healthz and /readyz tell the truth: each illness is brought about, seen, and seen to pass."""
import http.client
import json
import resource
import signal

from launch import Launch, check, free_port, tell


class Watched(Launch):
    """With a port that a monitor can ask, without any token."""

    def __init__(self, **more):
        super().__init__(**more)
        self.port = free_port()
        self.config["http"]["listen"].append("127.0.0.1:%d" % self.port)

    def look(self, path, method="GET"):
        """(status, what is said)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            check(answer.getheader("Content-Type") == "application/health+json", "%s: %s", path, answer.getheader("Content-Type"))
            check(answer.getheader("Cache-Control") == "no-store", "%s may be kept: %s", path, answer.getheader("Cache-Control"))
        finally:
            connection.close()
        if method == "HEAD":
            check(body == b"", "HEAD has a body")
            return answer.status, None
        said = json.loads(body)
        for name, (one,) in said["checks"].items():
            check(set(one) == {"status"}, "a stranger hears of %s: %s", name, one)
        words = [one["status"] for (one,) in said["checks"].values()]
        worst = "fail" if "fail" in words else "warn" if "warn" in words else "pass"
        check(said["status"] == worst and answer.status == (503 if worst == "fail" else 200), "%d: %s", answer.status, said)
        return answer.status, {name: one["status"] for name, (one,) in said["checks"].items()}

    def until_well(self, timeout=40):
        self.until(lambda: self.look("/readyz")[0] == 200, "/readyz to be 200", timeout)
        check(self.look("/healthz")[0] == 200, "ready, but /healthz says %s", self.look("/healthz"))
        status = self.try_onsale("status")
        check(status.returncode == 0, "ready, but status says: %s", status.stdout + status.stderr)

    def until_ill(self, path, name, timeout=40):
        """Until that check fails there; the sentence that `onsale status` has for it."""
        self.until(lambda: self.look(path)[1][name] == "fail", "%s to fail for %s" % (path, name), timeout)
        check(self.look("/readyz")[0] == 503, "%s fails, and it is ready: %s", path, self.look("/readyz"))
        status = self.try_onsale("status", "--json")
        check(status.returncode == 1, "status: exit %d: %s", status.returncode, status.stderr)
        health = json.loads(status.stdout)["health"]
        check(health["status"] == "fail", "%s", health)
        said = health["checks"][name][0]["output"]
        told = self.try_onsale("status")
        check(told.returncode == 1 and "NOT WELL" in told.stdout and said in told.stdout, "%s", told.stdout)
        return said


def well():
    with Watched(opens_in=3600) as launch:
        launch.run()
        launch.until_well()
        check(launch.look("/healthz", "HEAD")[0] == 200 and launch.look("/readyz", "HEAD")[0] == 200, "HEAD is refused")
        checks = launch.look("/healthz")[1]
        check(set(checks.values()) == {"pass"}, "%s", checks)
        launch.onsale("pause")
        check(launch.look("/readyz") == (200, {**checks, "pauses": "warn"}), "%s", launch.look("/readyz"))
        launch.onsale("resume")
        launch.until_well()
        check("well" in launch.onsale("status"), "%s", launch.onsale("status"))
    with Launch(opens_in=3600) as launch:
        launch.write_config()
        status = launch.try_onsale("status")
        check(status.returncode == 1 and "no daemon runs" in status.stderr, "%s", status.stderr)


def source_down_and_up_again():
    with Watched(opens_in=3600) as launch:
        launch.site["base_url"] = "http://127.0.0.1:%d" % free_port()  # nobody is there
        launch.run()
        said = launch.until_ill("/readyz", "sites")
        check("arena: not walked since the start" in said, "%s", said)
        check(launch.look("/healthz")[0] == 200, "for alarms a site that is away is a warning: %s", launch.look("/healthz"))
        launch.site["base_url"] = "http://127.0.0.1:%d" % launch.wix.port
        launch.reload()
        launch.until_well()
        launch.wix.stop()
        launch.until(lambda: launch.look("/readyz")[1]["sites"] == "warn", "a failed walk to be a warning")
        launch.until_ill("/readyz", "sites", timeout=75)  # 3 x poll_every + 60 s
        launch.wix.start()
        launch.until_well()


def wrong_password():
    """Mail cannot leave before a person has repaired it: an alarm. After the repair and a reload it is well."""
    users = {"auth": ["PLAIN", "LOGIN"], "require_auth": True, "users": {"arena": "right"}}
    with Watched(opens_in=12, tls=True, behaviour=users) as launch:
        launch.rule["gather_ahead"] = "9s"
        launch.mail.update(url="smtp://localhost:%d" % launch.sink.port, tls="required", ca_file="cert.pem", username="arena",
                           password_file="mail.password")
        launch.write("mail.password", "secret-of-ours\n")
        launch.run()
        said = launch.until_ill("/healthz", "notifiers")
        check(said.startswith("mail: ") and "secret-of-ours" not in said, "%s", said)
        launch.write("mail.password", "right\n")
        launch.reload()
        launch.until_well()
        launch.until(lambda: launch.notice()["state"] in ("held", "done", "sending"), "the launch to be held or told")
        if launch.notice()["state"] == "held":
            launch.onsale("release", launch.notice()["id"])
        launch.wait("done")
        launch.agree(launch.eligible())
        launch.until_well()


def disk_full():
    """The ledger cannot grow: nothing that was there is lost, and it is well as soon as there is room again."""
    with Watched(opens_in=3600) as launch:
        launch.run()
        launch.until_well()
        _, most = resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (4096, most))
        done = launch.try_onsale("pause")  # what cannot be kept is no success, though it counts
        check(done.returncode == 1 and "a restart forgets it" in done.stderr, "exit %d: %s", done.returncode, done.stderr)
        check(json.loads(launch.try_onsale("status", "--json").stdout)["pauses"], "the pause does not count")
        done = launch.try_onsale("cancel", 1)
        check(done.returncode == 1 and "a restart forgets it" in done.stderr, "exit %d: %s", done.returncode, done.stderr)
        said = launch.until_ill("/healthz", "store")
        check("onsale.db" in said, "%s", said)
        launch.sleep(6)
        launch.until_ill("/healthz", "store")  # the store has tried by itself meanwhile
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        launch.until(lambda: launch.look("/healthz")[1]["store"] == "pass", "the store to be well")
        launch.onsale("resume")
        launch.until_well()
        launch.audit()


def little_room():
    with Watched(opens_in=3600) as launch:
        launch.room()
        launch.run()
        launch.until_well()
        launch.room(63)
        said = launch.until_ill("/healthz", "disk")
        check("63 MB" in said, "%s", said)
        launch.room(90)  # a quarter more than is wanted
        launch.until_well()


def held_as_a_copy():
    with Watched(opens_in=3600) as launch:
        launch.run()
        launch.until_well()
        launch.stop()
        launch.config["instance"] = "elsewhere"
        launch.start()
        said = launch.until_ill("/healthz", "copy")
        check("elsewhere" in said and "--this-is-the-one" in said, "%s", said)
        launch.onsale("resume", "--this-is-the-one")
        launch.until_well()


def reloading_and_stopping():
    """While what is in flight comes home nothing new may be sent here."""
    with Watched(behaviour={"delay": {"dot": 3}}) as launch:
        launch.config["stop_grace"] = "20s"
        launch.mail["connections"] = 2
        launch.run()
        launch.wait("sending")
        launch.until(lambda: launch.ask("status")["notifiers"][0]["in_flight"] > 0, "mails on their way")
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until_ill("/readyz", "daemon", timeout=3)
        check(launch.look("/healthz")[0] == 200, "a reload is no alarm: %s", launch.look("/healthz"))
        launch.until(lambda: "event=reloaded" in launch.log_since(), "the reload")
        launch.until_well()
        launch.sink.behave(delay={})
        launch.wait("done")
        launch.agree(launch.eligible())


if __name__ == "__main__":
    tell([well, source_down_and_up_again, wrong_password, disk_full, little_room, held_as_a_copy, reloading_and_stopping])
