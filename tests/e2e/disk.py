#!/usr/bin/env python3
"""The disk of the state while people are told: full, full before the launch, read-only. Nobody is lost, nobody is told twice, nothing
is in doubt, and all goes on by itself when the disk is well again."""
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile

from launch import Launch, check, tell

MEGABYTE = 1 << 20
PAGE = 4096


class OnSmallDisk(Launch):
    """The state lies on a small file system of its own: a tmpfs, where this user may mount one."""

    def __init__(self, megabytes, **more):
        super().__init__(**more)
        self.disk = tempfile.mkdtemp(prefix="onsale-disk.")
        self.filler = os.path.join(self.disk, "filler")
        self.mounted = not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=0700" % megabytes, "onsale-test", self.disk],
                                          stderr=subprocess.DEVNULL).returncode
        self.config["store"] = "sqlite:%s/onsale.db" % self.disk

    def clear(self, failed):
        super().clear(failed)
        if self.mounted:
            subprocess.run(["umount", "-l", self.disk], check=False)
        shutil.rmtree(self.disk, ignore_errors=True)

    def fill(self, leave=0):
        """To the last byte, or but for some."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while self.free() > leave:
                    file.write(b"\0" * min(self.free() - leave, MEGABYTE))
            except OSError:
                pass

    def free(self):
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize

    def ballast(self):
        return os.path.exists(os.path.join(self.disk, "onsale.db.ballast"))


def skip(launch):
    if not launch.mounted:
        print("# no file system can be mounted here: nothing is known of a full one", flush=True)
    return not launch.mounted


def fans(launch):
    """Mails to all but the operators."""
    return [mail for mail in launch.mails() if mail["to"] != "ops@arena.example"]


def told_all(launch):
    """Everybody once, and nobody in doubt."""
    launch.wait("done", timeout=60)
    launch.agree(launch.eligible())


def full_while_sending():
    """To the last byte, in mid-flight: what is in the air is still written down, then all is held, and goes on when there is room."""
    with OnSmallDisk(48, people=3000, behaviour={"delay": {"dot": 0.01}}) as launch:
        if skip(launch):
            return
        launch.rule["catch_up"] = "10m"
        launch.config["operators"] = ["ops@arena.example"]
        launch.run()
        check(launch.ballast(), "no room is kept for the worst day")
        check("event=small_disk" in launch.log_since(), "nobody says that less is kept than configured")
        launch.wait("sending")
        launch.until(lambda: len(launch.mails()) > 200, "some mails")
        launch.fill()
        launch.until(lambda: not launch.ballast(), "the ballast to be given back")
        launch.wait("held", "disk")
        launch.fill(leave=2 * MEGABYTE)  # the log that was written ahead gave way, too: on a busy machine that is room to go on
        everybody = launch.eligible()
        launch.until(lambda: launch.notice()["counts"]["accepted"] == len(fans(launch)), "what was in the air to be written down")
        before = len(fans(launch))
        check(before < len(everybody), "it was over before the disk was full")
        check(launch.notice()["counts"]["in_doubt"] == 0, "%s", launch.notice()["counts"])
        refused = launch.try_onsale("release", launch.notice()["id"])
        check(refused.returncode == 1 and "disk" in refused.stderr, "%s", refused.stderr)
        launch.until(lambda: "[fail] disk" in launch.try_onsale("status").stdout, "status to say so")
        launch.sleep(6)
        check(len(fans(launch)) == before, "%d mails while there is no room", len(fans(launch)) - before)
        check(len(launch.mails()) - before == 2, "operators heard %d times, of the disk and of the hold", len(launch.mails()) - before)
        os.remove(launch.filler)
        launch.wait("done", timeout=60)
        launch.until(launch.ballast, "the ballast to be made anew")
        mails = fans(launch)
        launch.mails = lambda *_: mails
        launch.agree(everybody)


def full_before_it_opens():
    """Less is left than is wanted, though it is not full: held at T, an operator's own hold stays when there is room again."""
    with OnSmallDisk(48, opens_in=14, people=200) as launch:
        if skip(launch):
            return
        launch.rule.update(catch_up="10m", gather_ahead="13s")
        launch.run()
        launch.wait("ready")
        launch.fill(leave=2 * MEGABYTE)
        launch.until(lambda: "event=disk_trouble" in launch.log_since(), "the trouble to be seen")
        launch.wait("held", "disk")
        check(not launch.mails(None), "somebody was told")
        launch.onsale("hold", launch.notice()["id"])
        check(launch.notice()["reason"] == "operator", "held for %s", launch.notice()["reason"])
        os.remove(launch.filler)
        launch.until(lambda: "event=disk_well" in launch.log_since(), "all to be well")
        launch.sleep(1)
        check(launch.notice()["state"] == "held" and not launch.mails(None), "an operator's hold did not last")
        launch.onsale("release", launch.notice()["id"])
        told_all(launch)


def tight_before_it_is_read():
    """Enough to send, too little to read people in: held for want of consent, read when there is room."""
    with OnSmallDisk(48, opens_in=9, people=200) as launch:
        if skip(launch):
            return
        launch.rule.update(catch_up="10m", gather_ahead="1s")
        launch.run()
        launch.fill(leave=4 * MEGABYTE)
        launch.until(lambda: "event=disk_tight" in launch.log_since(), "it to be seen")
        shown = launch.wait("held", "consent")
        check("disk" in json.dumps(shown), "%s", shown)
        os.remove(launch.filler)
        told_all(launch)


def read_only_while_sending():
    """As after an error of the disk, when the kernel takes it back from everybody."""
    with Launch(people=2000, behaviour={"delay": {"dot": 0.01}}) as launch:
        launch.rule["catch_up"] = "10m"
        launch.room()
        launch.run()
        launch.wait("sending")
        launch.until(lambda: len(launch.mails()) > 200, "some mails")
        launch.write("room", "read-only\n")
        launch.until(lambda: "reason=disk" in launch.log_since(), "it to be held")  # its row cannot be written either
        launch.sleep(2)
        before = len(launch.mails())
        check(before < len(launch.eligible()), "it was over before: %d", before)
        launch.sleep(6)
        check(len(launch.mails()) == before, "%d mails while nothing can be written", len(launch.mails()) - before)
        check("[fail] store" in launch.try_onsale("status").stdout, "status says nothing of it")
        launch.room()
        told_all(launch)


def stopped_while_full():
    """SIGTERM with a full disk: what was in the air is written down by the room that was kept, and the next start goes on."""
    with OnSmallDisk(48, people=2000, behaviour={"delay": {"dot": 0.05}}) as launch:
        if skip(launch):
            return
        launch.rule["catch_up"] = "10m"
        launch.run()
        launch.wait("sending")
        launch.until(lambda: len(launch.mails()) > 100, "some mails")
        launch.fill()
        code = launch.stop(timeout=30)
        check(code == 0, "it ended with %d", code)
        check(len(launch.mails()) < len(launch.eligible()), "it was over before the disk was full")
        os.remove(launch.filler)
        launch.start()
        told_all(launch)


def a_tiny_disk():
    """Less than the write-ahead log would like to have: it is folded when there is no room for more, and all goes on."""
    with OnSmallDisk(6, people=3000) as launch:
        if skip(launch):
            return
        launch.rule["catch_up"] = "10m"
        launch.run()
        told_all(launch)


def damage(launch):
    """The page with the first person in it is nonsense from here on."""
    path = launch.path("onsale.db")
    with sqlite3.connect(path) as db:
        address = db.execute("SELECT address FROM person ORDER BY roll, seq LIMIT 1").fetchone()[0].encode()
    db.close()
    with open(path, "r+b") as file:
        pages = [at for at in range(0, os.path.getsize(path), PAGE) if file.seek(at) == at and address in file.read(PAGE)]
        check(pages, "%s is on no page", address)
        for at in pages:
            file.seek(at)
            file.write(b"\xa5" * PAGE)


def damaged_in_the_middle():
    """A start does not read all of a large state; whoever comes upon the damage holds everything, and says what to do. That is done."""
    with Launch(opens_in=16, people=300) as launch:
        launch.rule.update(catch_up="10m", gather_ahead="15s")
        launch.run()
        launch.wait("ready")
        backup = launch.path("backup.db")
        launch.onsale("backup", backup)
        launch.stop()
        damage(launch)
        launch.start()
        launch.wait("held", "disk")
        check("cp BACKUP" in launch.log_since(), "the log does not say what to do")
        said = launch.try_onsale("status").stdout
        check("[fail] store" in said and "damaged" in said, "%s", said)
        audit = launch.try_onsale("audit")
        check(audit.returncode == 1, "an audit of a damaged state is content: %s", audit.stdout)
        launch.sleep(11)  # writes succeed meanwhile: the damage does not pass by that
        check(launch.notice()["state"] == "held" and not launch.mails(None), "it went on by itself: %s", launch.notice())
        launch.stop()
        damaged = os.path.getsize(launch.path("onsale.db"))
        os.rename(launch.path("onsale.db"), launch.path("damaged.db"))
        check(damaged == os.path.getsize(launch.path("damaged.db")), "it was written over")
        shutil.copy(backup, launch.path("onsale.db"))
        launch.start()
        launch.wait("held", "copy")
        launch.onsale("resume", "--this-is-the-one")
        told_all(launch)


if __name__ == "__main__":
    tell([a_tiny_disk, damaged_in_the_middle, full_while_sending, full_before_it_opens, tight_before_it_is_read, read_only_while_sending, stopped_while_full])
