#!/usr/bin/env python3
"""The daemon is stopped, reloaded, doubled, copied and steered, with mails on their way."""
import email
import email.policy
import os
import shutil
import signal
import subprocess

from launch import BUILD, EVENT, Launch, check, tell


def slowly(launch, rate="25/s"):
    """71 people take about three seconds."""
    launch.mail["rate"] = rate


def some_are_told(launch, least=10, timeout=40):
    launch.until(lambda: len(launch.mails()) >= least, "the first mails", timeout)


def stopped_in_mid_send():
    """SIGTERM: what is in flight comes home, nothing is in doubt; the next start goes on where this one stopped."""
    with Launch(behaviour={"delay": {"dot": 0.2}}) as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        code = launch.stop()
        check(code == 0, "the daemon ended with %d", code)
        told = len(launch.mails())
        counts = launch.notice()["counts"]
        check(counts["in_doubt"] == 0 and counts["accepted"] == told < counts["planned"], "%d were told: %s", told, counts)
        launch.audit()
        launch.start()
        launch.wait("done")
        launch.agree(launch.eligible())


def stopped_before_the_gate():
    """A restart between gathering and T reads nobody twice and misses nobody."""
    with Launch(opens_in=10) as launch:
        launch.rule["gather_ahead"] = "7s"
        launch.run()
        launch.wait("ready")
        launch.stop()
        launch.start()
        launch.wait("done")
        launch.agree(launch.eligible())


def stopped_at_the_moment():
    """Nobody was awake at T; two seconds later is within catch_up."""
    with Launch() as launch:
        launch.run()
        launch.wait("ready")
        launch.stop()
        launch.sleep_until(2)
        launch.start()
        launch.wait("done")
        launch.agree(launch.eligible())


def asleep_for_too_long():
    with Launch() as launch:
        launch.rule["catch_up"] = "1s"
        launch.run()
        launch.wait("ready")
        launch.stop()
        launch.sleep_until(2)
        launch.start()
        launch.wait("missed", "late")
        launch.nobody_told()


def empty_store_after_the_moment():
    """A state that has never seen the sale before it opened tells nobody of it."""
    with Launch(opens_in=-60) as launch:
        launch.run()
        launch.wait("missed", "before our time")
        launch.nobody_told()


def reloaded_with_another_rate():
    with Launch() as launch:
        slowly(launch, "2/s")
        launch.run()
        some_are_told(launch, 2)
        launch.mail["rate"] = "1000/s"
        launch.reload()
        shown = launch.wait("done", timeout=15)
        launch.agree(launch.eligible())
        check(shown["counts"]["in_doubt"] == 0, "%s", shown["counts"])


def reloaded_with_a_broken_file():
    with Launch() as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        launch.write("onsale.yaml", "sites: [{name: arena, sauce: wix}]\nrules: 7\n")
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until(lambda: "event=reload_refused" in launch.log_since(), "the daemon to refuse the file")
        check("onsale.yaml:1:" in launch.log_since() and "sauce" in launch.log_since(), "it does not say what is wrong")
        rightly = launch.site["base_url"]  # every key is well by itself, but no source can be made of them
        launch.site["base_url"] = "http://www.wixapis.com"
        launch.write_config()
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until(lambda: "base_url: expected https://" in launch.log_since(), "the daemon to refuse this one, too")
        launch.site["base_url"] = rightly
        launch.write_config()
        said = launch.try_onsale("status").stdout
        check("is at work, the file was refused" in said, "status says: %s", said)
        launch.wait("done")
        launch.agree(launch.eligible())


def reloaded_with_another_rule():
    """A rule that is new at that moment says nothing of what opened before it."""
    with Launch() as launch:
        launch.run()
        launch.wait("done")
        launch.config["rules"].append(dict(launch.rule, name="on-sale-again"))
        launch.reload()
        launch.wait("missed", "before our time", rule="on-sale-again")
        launch.agree(launch.eligible())


def reloaded_again_and_again():
    with Launch(opens_in=9, behaviour={"delay": {"dot": 0.05}}) as launch:
        launch.rule["gather_ahead"] = "7s"
        slowly(launch)
        launch.run()
        launch.wait("ready")
        for tenths in range(-15, 25, 4):
            launch.sleep_until(tenths / 10)
            launch.daemon.send_signal(signal.SIGHUP)
        launch.wait("done")
        shown = launch.agree(launch.eligible())
        check(shown["counts"]["in_doubt"] == 0, "%s", shown["counts"])
        check(launch.log_since().count("event=reloaded") >= 5, "%d reloads", launch.log_since().count("event=reloaded"))


def reloaded_with_another_audience():
    """Before anybody is claimed: those who are gathered then are the ones who are told."""
    with Launch(opens_in=10) as launch:
        launch.rule["gather_ahead"] = "8s"
        launch.run()
        launch.wait("ready")
        launch.write("door.csv", "email,status\ndoor@example.org,subscribed\n")
        launch.config["audiences"].append({"name": "door", "source": "file", "path": "door.csv"})
        launch.rule["audiences"] = ["door"]
        launch.reload()
        launch.wait("done")
        launch.agree({"door@example.org"})


def reloaded_with_another_site():
    """In front of the one that was there, then behind it, then gone: the one that stays keeps its people."""
    with Launch(opens_in=10) as launch:
        launch.rule.update(gather_ahead="8s", sites=["arena"])
        launch.run()
        launch.wait("ready")
        launch.write("hall.json", '{"ticketDefinitions": []}')
        hall = {"name": "hall", "source": "file", "path": "hall.json"}
        for sites in [hall, launch.site], [launch.site, hall], [launch.site]:
            launch.config["sites"] = sites
            launch.reload()
        launch.wait("done")
        launch.agree(launch.eligible())


def a_test_of_the_rule_of_another_site():
    """send-test before there is a notice: the sample is of the rule's own site, also when the first one has left."""
    with Launch(opens_in=3600, people=1, behaviour={"keep": True}) as launch:
        launch.write("hall.json", '{"ticketDefinitions": []}')
        hall = {"name": "hall", "source": "file", "path": "hall.json", "language": "de"}
        launch.rule["sites"] = ["hall"]
        launch.config["sites"] = [launch.site, hall]
        launch.run()
        launch.onsale("send-test", "on-sale", "--to", "me@arena.example")
        launch.config["sites"] = [hall]
        launch.reload()
        launch.onsale("send-test", "on-sale", "--to", "you@arena.example")
        launch.until(lambda: len(launch.mails()) == 2, "two mails")
        for mail in launch.mails():
            subject = email.message_from_string(mail["raw"], policy=email.policy.default)["Subject"]
            check("Der Ticketverkauf" in subject, "to %s: %s", mail["to"], subject)


def reloaded_without_its_notifier():
    """People are claimed by it: such a file is refused by name."""
    with Launch() as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        before = dict(launch.mail)
        launch.mail["name"] = launch.rule["notify"][0] = "post"
        launch.write_config()
        launch.daemon.send_signal(signal.SIGHUP)
        launch.until(lambda: "event=reload_refused" in launch.log_since(), "the daemon to refuse the file")
        check("mail" in launch.log_since().partition("event=reload_refused")[2].partition("\n")[0], "it names no notifier")
        launch.mail.update(before)
        launch.rule["notify"] = ["mail"]
        launch.write_config()
        launch.wait("done")
        launch.agree(launch.eligible())


def second_daemon():
    with Launch() as launch:
        launch.run()
        other = dict(launch.environment, CACHE_DIRECTORY=launch.path("other"))
        os.mkdir(launch.path("other"))
        launch.config["http"]["listen"] = ["unix:other.sock"]
        launch.write_config()
        second = subprocess.run([os.path.join(BUILD, "onsale"), "run"], env=other, timeout=20, stderr=subprocess.PIPE,
                                text=True)
        launch.config["http"]["listen"] = ["unix:onsale.sock"]
        launch.write_config()
        check(second.returncode != 0, "two daemons on one state")
        check("onsale.db" in second.stderr, "it says: %s", second.stderr)
        launch.wait("done")
        launch.agree(launch.eligible())


def held_as_a_copy(launch):
    shown = launch.wait("held", "copy")
    check("copy" in launch.log_since() and "this-is-the-one" in launch.log_since(), "the log does not say what to do")
    refused = launch.try_onsale("release", shown["id"])
    check(refused.returncode == 1 and "copy" in refused.stderr, "release says: %s", refused.stderr)
    launch.nobody_told()
    launch.onsale("resume", "--this-is-the-one")
    launch.wait("done")
    launch.agree(launch.eligible())


def another_instance():
    with Launch(opens_in=9) as launch:
        launch.run()
        launch.until(launch.notice, "the notice to be planned")
        launch.stop()
        launch.config["instance"] = "elsewhere"
        launch.start()
        held_as_a_copy(launch)


def an_old_copy_restored():
    """The database is older than its witness: somebody may have been told since."""
    with Launch(opens_in=12) as launch:
        launch.run()
        launch.until(launch.notice, "the notice to be planned")
        launch.stop()
        shutil.copy(launch.path("onsale.db"), launch.path("backup.db"))
        launch.start()
        launch.stop()
        for name in ("onsale.db", "onsale.db-wal", "onsale.db-shm"):
            if os.path.exists(launch.path(name)):
                os.remove(launch.path(name))
        os.rename(launch.path("backup.db"), launch.path("onsale.db"))
        launch.start()
        held_as_a_copy(launch)


def pause_and_resume(target):
    """Stops within a second, outlives a restart, and goes on."""
    with Launch() as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        words = [launch.notice()["id"]] if target == "notice" else ["mail"] if target == "notifier" else []
        launch.onsale("pause", *words)
        launch.sleep(1)
        told = len(launch.mails())
        launch.sleep(1)
        check(len(launch.mails()) == told < len(launch.eligible()), "%d, then %d were told in the pause", told,
              len(launch.mails()))
        launch.stop()
        launch.start()
        launch.sleep(1.5)
        check(len(launch.mails()) == told, "the restart ended the pause")
        launch.onsale("resume", *words)
        launch.wait("done")
        launch.agree(launch.eligible())


def paused_all():
    pause_and_resume("all")


def paused_notice():
    pause_and_resume("notice")


def paused_notifier():
    pause_and_resume("notifier")


def paused_at_the_moment():
    with Launch() as launch:
        launch.run()
        launch.wait("ready")
        launch.onsale("pause")
        launch.sleep_until(2)
        launch.nobody_told()
        launch.onsale("resume")
        launch.wait("done")
        launch.agree(launch.eligible())


def held_and_released():
    """Also at once, while the last ones are still coming home."""
    with Launch(behaviour={"delay": {"dot": 0.5}}) as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch, 5)
        notice = launch.notice()["id"]
        launch.onsale("hold", notice)
        launch.onsale("release", notice)
        some_are_told(launch, 20, timeout=15)  # long before the evidence is renewed
        launch.onsale("hold", notice)
        launch.sleep(1.2)
        told = len(launch.mails())
        launch.sleep(1)
        shown = launch.wait("held", "operator")
        check(len(launch.mails()) == told < shown["counts"]["planned"], "held, but %d more were told", len(launch.mails()) - told)
        launch.onsale("release", notice)
        launch.wait("done")
        launch.agree(launch.eligible())


def held_before_the_moment():
    with Launch() as launch:
        launch.run()
        shown = launch.wait("ready")
        launch.onsale("hold", shown["id"])
        launch.sleep_until(2)
        launch.wait("held", "operator")
        launch.nobody_told()
        launch.onsale("release", shown["id"])
        launch.wait("done")
        launch.agree(launch.eligible())


def cancelled_in_mid_send():
    with Launch() as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        launch.onsale("cancel", launch.notice()["id"])
        launch.wait("cancelled")
        launch.sleep(1.5)
        told = {mail["to"] for mail in launch.mails()}
        shown = launch.agree(told)
        rest = [reason for reason in shown["reasons"] if reason["reason"] == "cancelled"]
        check(sum(reason["count"] for reason in rest) == shown["counts"]["withheld"] == len(launch.eligible() - told) > 0,
              "%s, %s", shown["counts"], shown["reasons"])
        launch.onsale("sync")
        launch.sleep(1)
        launch.wait("cancelled")
        refused = launch.try_onsale("release", shown["id"])
        check(refused.returncode == 1, "a cancelled notice was released")


def cancelled_in_a_pause():
    """Nothing is on its way then: the end comes at once."""
    with Launch() as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        notice = launch.notice()["id"]
        launch.onsale("pause", notice)
        launch.sleep(1)
        launch.onsale("cancel", notice)
        launch.wait("cancelled")
        launch.onsale("resume")
        launch.sleep(1)
        launch.agree({mail["to"] for mail in launch.mails()})


def expired(launch, hold):
    launch.mail.update(rate="10/s", deadline="3s")
    launch.run()
    some_are_told(launch, 5)
    if hold:
        launch.onsale("hold", launch.notice()["id"])
    shown = launch.wait("done")
    told = {mail["to"] for mail in launch.mails()}
    launch.agree(told)
    late = max(mail["time"] for mail in launch.mails()) - launch.opens_at_ms
    check(late < 4000, "told %d ms after T, the notifier's deadline is 3 s", late)
    check([reason["reason"] for reason in shown["reasons"]] == ["expired"], "%s", shown["reasons"])
    launch.onsale("retry", shown["id"], "--withheld", "expired")
    launch.until(lambda: launch.notice()["counts"]["withheld"] < shown["counts"]["withheld"], "the expired ones to be tried")
    launch.wait("done")
    launch.audit()


def deadline_while_sending():
    with Launch() as launch:
        expired(launch, hold=False)


def deadline_while_held():
    with Launch() as launch:
        expired(launch, hold=True)


def the_event_is_cancelled_in_mid_send():
    """The evidence is renewed while sending: here when a pause ends."""
    with Launch() as launch:
        slowly(launch)
        launch.run()
        some_are_told(launch)
        launch.onsale("pause")
        launch.wix.control({"do": "event", "eventId": EVENT, "set": {"status": "CANCELED"}})
        launch.sleep(1)
        launch.onsale("resume")
        launch.wait("withdrawn", "event off")
        launch.sleep(1)
        told = {mail["to"] for mail in launch.mails()}
        shown = launch.agree(told)
        check({reason["reason"] for reason in shown["reasons"]} == {"event off"}, "%s", shown["reasons"])


def told_again():
    with Launch() as launch:
        launch.run()
        first = launch.wait("done")
        launch.agree(launch.eligible())
        asked = launch.try_onsale("again", first["id"], text_in="no\n")
        check(asked.returncode == 1, "it did not take no for an answer")
        refused = launch.try_onsale("again", first["id"] + 100, "--anyway")
        check(refused.returncode == 1 and "no notice" in refused.stderr, "it says: %s", refused.stderr)
        launch.onsale("again", first["id"], "--anyway")
        launch.until(lambda: launch.notice()["id"] != first["id"], "the second edition to be listed")
        second = launch.wait("done")
        check(second["id"] != first["id"] and second["edition"] == 2, "no new edition: %s", second["id"])
        got = [mail["to"] for mail in launch.mails()]
        check(sorted(got) == sorted(list(launch.eligible()) * 2), "%d mails to %d people", len(got), len(launch.eligible()))
        check(len({mail["message_id"] for mail in launch.mails()}) == len(got), "the second mail has the first one's id")
        launch.audit()


def operators_are_told():
    with Launch() as launch:
        launch.config["operators"] = ["ops@arena.example"]
        launch.rule["seed"] = ["me@arena.example"]
        launch.run()
        shown = launch.wait("done")
        launch.until(lambda: any(mail["to"] == "ops@arena.example" for mail in launch.mails()), "the operators' mail")
        got = [mail["to"] for mail in launch.mails() if mail["to"] != "ops@arena.example"]
        check(sorted(got) == sorted(launch.eligible() | {"me@arena.example"}), "%d mails", len(got))
        check(shown["counts"]["accepted"] == len(got), "%s", shown["counts"])
        check([seed["state"] for seed in shown["seeds"]] == ["accepted"], "%s", shown["seeds"])
        launch.audit()


STORIES = [
    stopped_in_mid_send, stopped_before_the_gate, stopped_at_the_moment, asleep_for_too_long,
    empty_store_after_the_moment, reloaded_with_another_rate, reloaded_with_a_broken_file, reloaded_with_another_rule,
    reloaded_again_and_again, reloaded_with_another_audience, reloaded_with_another_site,
    a_test_of_the_rule_of_another_site, reloaded_without_its_notifier, second_daemon, another_instance, an_old_copy_restored, paused_all, paused_notice, paused_notifier,
    paused_at_the_moment, held_and_released, held_before_the_moment, cancelled_in_mid_send,
    cancelled_in_a_pause, deadline_while_sending, deadline_while_held, the_event_is_cancelled_in_mid_send, told_again, operators_are_told]

if __name__ == "__main__":
    tell(STORIES)
