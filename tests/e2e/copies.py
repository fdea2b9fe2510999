#!/usr/bin/env python3
"""A copy does not shout: a state that turns up twice, in whatever way, sends nothing until a person says that it is the one."""
import os
import shutil
import subprocess

from launch import BUILD, Launch, check, end, spawn, tell

STATE = ("onsale.db", "onsale.db-wal", "onsale.db-shm")


def held_as_a_copy(launch, words):
    """And goes on with a person's word."""
    shown = launch.wait("held", "copy")
    check(words in launch.log_since(launch.daemon_log_start), "the log does not say that %s", words)
    refused = launch.try_onsale("release", shown["id"])
    check(refused.returncode == 1 and "copy" in refused.stderr, "release says: %s", refused.stderr)
    launch.nobody_told()
    launch.onsale("resume", "--this-is-the-one")
    launch.wait("done")
    launch.agree(launch.eligible())
    launch.stop()
    launch.start()
    check("event=copy" not in launch.log_since(launch.daemon_log_start), "once is not enough")


def witness(launch):
    names = [name for name in os.listdir(launch.folder) if name.startswith("witness-")]
    check(len(names) == 1, "witnesses: %s", names)
    return launch.path(names[0])


def planned(launch):
    launch.run()
    launch.until(launch.notice, "the notice to be planned")
    launch.stop()


def elsewhere_without_its_witness():
    """The file alone, on another machine."""
    with Launch(opens_in=9) as launch:
        planned(launch)
        os.remove(witness(launch))
        launch.config["instance"] = "elsewhere"
        launch.start()
        held_as_a_copy(launch, "instance:e2e")


def another_machine_id():
    """The folder and the witness, on a clone of the machine with an id of its own."""
    with Launch(opens_in=9) as launch:
        launch.config["instance"] = ""
        launch.write("machine-id", "00112233445566778899aabbccddeeff\n")
        planned(launch)
        inside = 'mount --bind %s /etc/machine-id && exec "$@"' % launch.path("machine-id")
        wrapped = ["unshare", "-m", "sh", "-c", inside, "sh"]
        if not os.path.exists("/etc/machine-id") or subprocess.run([*wrapped, "true"], stderr=subprocess.DEVNULL).returncode:
            print("# no other machine id can be shown here", flush=True)
            return
        launch.write_config()
        with open(launch.path("onsale.log"), "a", encoding="utf-8") as log:
            launch.daemon = spawn([*wrapped, os.path.join(BUILD, "onsale"), "run"], stderr=log, stdout=log, env=launch.environment)
        launch.until(lambda: "event=started" in launch.log_since(launch.daemon_log_start), "the daemon to start", 20)
        launch.wait("held", "copy")
        launch.nobody_told()
        launch.onsale("resume", "--this-is-the-one")
        launch.wait("done")
        launch.agree(launch.eligible())


def no_witness():
    """It only warns, and is there again."""
    with Launch(opens_in=9) as launch:
        planned(launch)
        os.remove(witness(launch))
        launch.start()
        launch.wait("done")
        check("event=witness_missing" in launch.log_since(launch.daemon_log_start), "nobody says that it is missing")
        launch.agree(launch.eligible())
        witness(launch)


def another_folder_of_this_machine():
    """Two files of one state, both here: the lock of one says nothing to the other. The first one sends, the copy does not."""
    with Launch(opens_in=10) as launch:
        launch.config["instance"] = ""
        planned(launch)
        os.mkdir(launch.path("copy"))
        for name in STATE + ("onsale.keys",):
            if os.path.exists(launch.path(name)):
                shutil.copy(launch.path(name), launch.path("copy"))
        launch.start()
        before = launch.config["store"], launch.config["http"]["listen"]
        launch.config.update(store="sqlite:copy/onsale.db", http={"listen": ["unix:copy/onsale.sock"]})
        launch.write_config()
        os.replace(launch.path("onsale.yaml"), launch.path("copy.yaml"))
        with open(launch.path("copy.log"), "w", encoding="utf-8") as log:
            copy = spawn([os.path.join(BUILD, "onsale"), "run", "--config", launch.path("copy.yaml")], stderr=log, stdout=log,
                         env=launch.environment)
        launch.config["store"], launch.config["http"]["listen"] = before
        launch.write_config()
        try:
            launch.wait("done")
            shown = launch.try_onsale("notices", "--json", "--config", launch.path("copy.yaml")).stdout
            check('"copy"' in shown.replace(" ", ""), "the copy: %s", shown)
            launch.agree(launch.eligible())
        finally:
            end(copy)


def moved_to_another_folder():
    with Launch(opens_in=9) as launch:
        launch.config["instance"] = ""
        planned(launch)
        os.mkdir(launch.path("new"))
        for name in STATE + ("onsale.keys",):
            if os.path.exists(launch.path(name)):
                os.rename(launch.path(name), launch.path("new/" + name))
        launch.config["store"] = "sqlite:new/onsale.db"
        launch.start()
        held_as_a_copy(launch, "moved, or copied")


def the_state_is_gone():
    """A new one in its place does not know who was told."""
    with Launch(opens_in=9) as launch:
        planned(launch)
        for name in STATE:
            if os.path.exists(launch.path(name)):
                os.remove(launch.path(name))
        launch.start()
        held_as_a_copy(launch, "is new")


def snapshot_of_everything():
    """State, keys and witness of an hour ago, as a machine's snapshot brings them: no file can show it. Nobody is told late."""
    with Launch(opens_in=7) as launch:
        launch.rule["catch_up"] = "2s"
        planned(launch)
        names = STATE + ("onsale.keys", os.path.basename(witness(launch)))
        os.mkdir(launch.path("snapshot"))
        for name in names:
            if os.path.exists(launch.path(name)):
                shutil.copy(launch.path(name), launch.path("snapshot"))
        launch.start()
        launch.wait("done")
        eligible = launch.eligible()
        launch.agree(eligible)
        launch.stop()
        launch.sleep_until(3)
        for name in names:
            if os.path.exists(launch.path(name)):
                os.remove(launch.path(name))
            if os.path.exists(launch.path("snapshot/" + name)):
                shutil.copy(launch.path("snapshot/" + name), launch.path(name))
        launch.start()
        launch.wait("missed")
        check(len(launch.mails(None)) == len(eligible), "%d mails", len(launch.mails(None)))


if __name__ == "__main__":
    tell([elsewhere_without_its_witness, another_machine_id, no_witness, another_folder_of_this_machine, moved_to_another_folder,
          the_state_is_gone, snapshot_of_everything])
