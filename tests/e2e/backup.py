#!/usr/bin/env python3
"""Backups taken at any instant, in mid-send too; what is restored from them is held as a copy and tells nobody again whom it
knows as told."""
import http.client
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

from launch import BUILD, Launch, TooSlow, check, free_port, spawn, tell

ACCEPTED = 1  # fate.fate


def facts_of(path):
    """Who was accepted, and who was handed over without a word, by then: read by no code of ours. The file is one plain file."""
    check(os.stat(path).st_mode & 0o777 == 0o600, "%s: mode %o", path, os.stat(path).st_mode)
    db = sqlite3.connect(path)
    try:
        check(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "%s is damaged", path)
        check(db.execute("PRAGMA journal_mode").fetchone() == ("delete",), "%s keeps a write-ahead log", path)
        people = "SELECT person.address FROM notice JOIN person ON person.roll = notice.roll JOIN %s WHERE %s"
        accepted = db.execute(people % ("fate ON fate.notice = notice.id AND fate.seq = person.seq", "fate = ?"), (ACCEPTED,))
        accepted = {address for (address,) in accepted}
        flying = db.execute(people % ("flight ON flight.notice = notice.id AND flight.seq = person.seq", "1"))
        return accepted, {address for (address,) in flying}
    finally:
        db.close()


def audit_offline(launch, path):
    """`onsale audit` of a copy as it lies there."""
    folder = path + ".audit"
    os.mkdir(folder)
    shutil.copy(path, os.path.join(folder, "onsale.db"))
    config = os.path.relpath(folder + ".yaml", launch.folder)
    launch.write(config, json.dumps(dict(launch.config, store="sqlite:%s/onsale.db" % folder,
                                         http={"listen": ["unix:%s/none.sock" % folder]})))
    done = launch.try_onsale("audit", "--json", "--config", launch.path(config))
    check(done.returncode == 0 and not json.loads(done.stdout)["problems"], "audit of %s: %s", path, done.stdout + done.stderr)


def restore(launch, backup):
    """As README says; the daemon is stopped."""
    for name in ("onsale.db", "onsale.db-wal", "onsale.db-shm"):
        if os.path.exists(launch.path(name)):
            os.remove(launch.path(name))
    shutil.copy(backup, launch.path("onsale.db"))


def leftovers(launch):
    return [name for name in os.listdir(launch.folder) if ".backup-" in name or name.endswith(".part")]


def in_mid_send():
    """Several, at random instants; one of the middle is restored on the same machine, before any other start."""
    with Launch(opens_in=24, people=12000, definitions=20, events=2) as launch:
        launch.rule["gather_ahead"] = "20s"
        launch.port = free_port()
        launch.config["http"]["listen"].append("127.0.0.1:%d" % launch.port)
        launch.run()
        launch.wait("ready")
        eligible = launch.eligible()
        launch.sleep_until(0)
        taken, done = [], False
        while not done:
            done = launch.notice()["state"] == "done"
            taken.append(launch.path("backup-%d.db" % len(taken)))
            said = launch.onsale("backup", taken[-1])
            check("whole and checked" in said and "onsale.keys" in said, "%s", said)
            time.sleep(random.random() / 4)
        launch.agree(eligible)
        check(not leftovers(launch), "%s", leftovers(launch))
        facts = {path: facts_of(path) for path in taken}
        for path in taken:
            audit_offline(launch, path)
        middle = [path for path in taken if 0 < len(facts[path][0]) < len(eligible)]
        if not middle:
            raise TooSlow("no backup was taken in mid-send: %s accepted" % [len(facts[path][0]) for path in taken])
        backup = random.choice(middle)
        accepted, flying = facts[backup]
        launch.stop()
        before = len(launch.mails())
        restore(launch, backup)
        launch.start()
        launch.wait("held", "copy")
        for path in ("/healthz", "/readyz"):
            connection = http.client.HTTPConnection("127.0.0.1", launch.port, timeout=20)
            connection.request("GET", path)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            check(answer.status == 503 and said["checks"]["copy"] == [{"status": "fail"}], "%s: %s", path, said)
        launch.sleep(1)
        check(len(launch.mails()) == before, "a restored state sent %d mails", len(launch.mails()) - before)
        check("nothing is sent" in launch.onsale("resume"), "resume does not say that a copy stays one")
        launch.onsale("resume", "--this-is-the-one")
        check("nothing is sent" not in launch.onsale("resume"), "resume takes the state for a copy still")
        launch.wait("done")
        again = [mail["to"] for mail in launch.mails()[before:]]
        check(len(again) == len(set(again)), "told twice since the restore")
        check(not set(again) & accepted, "%d were accepted before the backup and told again", len(set(again) & accepted))
        check(not set(again) & flying, "%d were in doubt at the backup and told again", len(set(again) & flying))
        check(set(again) | accepted | flying == eligible, "%d were forgotten", len(eligible - set(again) - accepted - flying))
        check(launch.notice()["counts"]["in_doubt"] == len(flying), "%s, %d in flight", launch.notice()["counts"], len(flying))
        launch.audit()


class Large(Launch):
    """Some 30 MB of state, nothing due: a copy takes its time."""

    def __init__(self):
        super().__init__(opens_in=3600)
        with open(self.path("people.csv"), "w", encoding="utf-8") as file:
            file.write("email,first_name,status\n")
            file.writelines("somebody.%d@mail.example.org,Ada,subscribed\n" % i for i in range(60000))
        self.config["audiences"].append({"name": "crowd", "source": "file", "path": "people.csv"})
        self.rule.update(audiences=["crowd"], gather_ahead="2h")
        self.backup = self.path("backup.db")

    def gathered(self):
        self.run()
        self.wait("ready", timeout=60)

    def begin(self, *words):
        return spawn([os.path.join(BUILD, "onsale"), "backup", self.backup, *words], env=self.environment,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def no_half_file(self):
        check(not os.path.exists(self.backup), "a file that is not whole has the name of one that is")
        check(not leftovers(self), "%s", leftovers(self))


def killed_while_backing_up():
    with Large() as launch:
        launch.gathered()
        cut = 0
        for _ in range(6):
            command = launch.begin()
            time.sleep(random.uniform(0.05, 0.6))
            launch.stop(signal.SIGKILL)
            said = command.communicate(timeout=30)[1]
            cut += command.returncode == 1
            if command.returncode == 0:
                os.remove(launch.backup)
            else:
                check("onsale: " in said, "%s", said)
            launch.start()
            launch.no_half_file()
            launch.audit()
        check(cut > 0, "no backup was cut off: nothing is known")
        launch.onsale("backup", launch.backup)
        facts_of(launch.backup)


def stopped_while_backing_up():
    """An orderly end does not wait for it."""
    with Large() as launch:
        launch.gathered()
        command = launch.begin()
        launch.until(lambda: "what=backup" in launch.log_since(), "the request")
        began = time.monotonic()
        check(launch.stop() == 0, "the daemon did not end well")
        check(time.monotonic() - began < 5, "it took %.1f s", time.monotonic() - began)
        said = command.communicate(timeout=30)[1]
        check(command.returncode == 1 and said, "exit %d: %s", command.returncode, said)
        launch.no_half_file()
        launch.start()
        launch.audit()


def disk_full():
    """Too little room where the daemon copies, then where the command writes: an error, no half file, and all goes on."""
    with Large() as launch:
        launch.gathered()
        _, most = resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (8 << 20, most))
        refused = launch.try_onsale("backup", launch.backup)
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        check(refused.returncode == 1 and "copying" in refused.stderr, "%s", refused.stderr)
        launch.no_half_file()
        command = subprocess.run(["prlimit", "--fsize=%d" % (8 << 20), os.path.join(BUILD, "onsale"), "backup", launch.backup],
                                 env=launch.environment, timeout=60, stderr=subprocess.PIPE, text=True)
        check(command.returncode == 1 and "cannot be written" in command.stderr, "%s", command.stderr)
        launch.no_half_file()
        launch.onsale("backup", launch.backup)
        # What the daemon wrote itself meanwhile may have failed as well: it tries again by itself.
        launch.until(lambda: launch.try_onsale("status").returncode == 0, "all to be well")
        launch.audit()


def little_room():
    """A copy must not take the room that the ledger needs."""
    with Large() as launch:
        launch.room()
        launch.gathered()
        launch.room(130)
        refused = launch.try_onsale("backup", launch.backup)
        check(refused.returncode == 1 and "no room for a backup" in refused.stderr and "130 MB" in refused.stderr, "%s",
              refused.stderr)
        launch.no_half_file()
        check("event=backup_failed" in launch.log_since(), "the log says nothing of it")
        launch.room()
        launch.onsale("backup", launch.backup)


def without_a_daemon():
    with Launch(opens_in=3600) as launch:
        launch.run()
        launch.until(launch.notice, "the notice to be planned")
        online = launch.path("online.db")
        launch.onsale("backup", online)
        launch.stop()
        backup = launch.path("backup.db")
        said = launch.onsale("backup", backup)
        check("3 notices" in said, "%s", said)
        facts_of(backup)
        refused = launch.try_onsale("backup", backup)
        check(refused.returncode == 1 and "--force" in refused.stderr, "%s", refused.stderr)
        launch.onsale("backup", backup, "--force")
        refused = launch.try_onsale("backup", launch.path("onsale.db"), "--force")
        check(refused.returncode == 1 and "the state itself" in refused.stderr, "%s", refused.stderr)
        refused = launch.try_onsale("backup", launch.path("nowhere/backup.db"))
        check(refused.returncode == 1 and "nowhere" in refused.stderr, "%s", refused.stderr)
        for running in (False, True):
            if running:
                launch.start()
            poured = launch.path("poured-%d.db" % running)
            with open(poured, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
                done = subprocess.run([os.path.join(BUILD, "onsale"), "backup", "-"], env=launch.environment, timeout=60,
                                      stdout=out, stderr=subprocess.PIPE, text=True)
            check(done.returncode == 0 and "onsale.keys" in done.stderr, "%s", done.stderr)
            facts_of(poured)
            with open("/dev/full", "wb") as out:
                done = subprocess.run([os.path.join(BUILD, "onsale"), "backup", "-"], env=launch.environment, timeout=60,
                                      stdout=out, stderr=subprocess.PIPE, text=True)
            check(done.returncode == 1 and "written" in done.stderr, "exit %d: %s", done.returncode, done.stderr)
        check(not leftovers(launch), "%s", leftovers(launch))


def by_token():
    """A download for who may steer, not for who may only read; one at a time."""
    with Large() as launch:
        launch.port = free_port()
        launch.config["http"]["listen"].append("127.0.0.1:%d" % launch.port)
        launch.config["http"]["tokens"] = [{"name": scope, "token_file": scope + ".token", "scope": scope}
                                           for scope in ("read", "control")]
        for scope in ("read", "control"):
            launch.write(scope + ".token", scope * 10 + "\n")
            os.chmod(launch.path(scope + ".token"), 0o600)
        launch.gathered()

        def ask(scope):
            connection = http.client.HTTPConnection("127.0.0.1", launch.port, timeout=60)
            connection.request("GET", "/api/v1/backup", headers={"Authorization": "Bearer " + scope * 10} if scope else {})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Disposition"), answer.read()
        check(ask(None)[0] == 401 and ask("read")[0] == 403, "%s, %s", ask(None)[:2], ask("read")[:2])
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(ask("control"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (status, name, body), (refused, _, why) = sorted(answers, key=lambda answer: answer[0])
        check((status, refused) == (200, 409) and b"already" in why, "%d, %d: %s", status, refused, why[:200])
        check(name.startswith('attachment; filename="onsale-2'), "%s", name)
        with open(launch.backup, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(body)
        facts_of(launch.backup)
        connection = http.client.HTTPConnection("127.0.0.1", launch.port, timeout=60)
        connection.request("GET", "/readyz", headers={"Authorization": "Bearer " + "read" * 10})
        said = json.loads(connection.getresponse().read())
        check(said["status"] == "pass", "%s", said)


if __name__ == "__main__":
    tell([in_mid_send, killed_while_backing_up, stopped_while_backing_up, disk_full, little_room, without_a_daemon, by_token])
