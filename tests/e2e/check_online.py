#!/usr/bin/env python3
"""`onsale check --online` against a Wix site, a listmonk and a mail server: what it saw of each, or why not, and the exit
code; and a test message, which is answered for by who received it."""

from launch import Launch, check, tell


def lines(launch, code):
    done = launch.try_onsale("check", "--online")
    check(done.returncode == code, "exit %d, not %d: %s", done.returncode, code, done.stdout + done.stderr)
    online = done.stdout.split("\nonline\n", 1)[1].splitlines()
    return {tuple(line.split()[:2]): line for line in online}


def says(said, kind, name, *words):
    line = said.get((kind, name), "")
    for word in words:
        check(word in line, "%s %s does not say %r: %s", kind, name, word, line)


def everything_answers():
    with Launch(opens_in=600, people=200, definitions=12, events=4) as launch:
        launch.run()
        said = lines(launch, 0)
        told = len(launch.eligible())
        says(said, "site", "arena", "ok: 12 ticket definitions of 4 events")
        says(said, "audience", "fans", "ok: ", "say yes")
        says(said, "rule", "on-sale", "ok: reaches %d people for" % told)
        says(said, "notifier", "mail", "ok: smtp://127.0.0.1", "without TLS")
        check(not launch.mails(None), "checking sent a mail")


def nobody_answers():
    with Launch(opens_in=600, people=50) as launch:
        launch.run()
        launch.wix.stop()
        launch.listmonk.stop()
        launch.sink.stop()
        said = lines(launch, 1)
        says(said, "site", "arena", "failed: ")
        says(said, "audience", "fans", "failed: ")
        says(said, "rule", "on-sale", "failed: how many people is not known")
        says(said, "notifier", "mail", "failed: cannot connect")


def keys_are_wrong():
    with Launch(opens_in=600, people=50) as launch:
        launch.run()
        launch.stop()
        launch.write("wix.key", "another-key\n")
        launch.write("listmonk.token", "another-token\n")
        said = lines(launch, 1)
        says(said, "site", "arena", "failed: ", "40", "request")
        says(said, "audience", "fans", "failed: ", "40")
        says(said, "notifier", "mail", "ok: ")
        text = "\n".join(said.values())
        check("another-key" not in text and "another-token" not in text, "a secret is shown: %s", text)


def a_test_message_is_answered_for():
    with Launch(opens_in=600, people=50) as launch:
        launch.run()
        done = launch.try_onsale("send-test", "on-sale", "--to", "me@arena.example")
        check(done.returncode == 0 and "accepted by mail, 250" in done.stdout, "%s", done.stdout + done.stderr)
        check([mail["to"] for mail in launch.mails()] == ["me@arena.example"], "%s", launch.mails())
        launch.sink.behave(refuse=[{"to": "*", "at": "rcpt", "reply": "550 5.1.1 no such user"}])
        done = launch.try_onsale("send-test", "on-sale", "--to", "you@arena.example")
        check(done.returncode == 1 and "refused by mail, 550" in done.stderr, "%s", done.stdout + done.stderr)
        launch.sink.stop()
        done = launch.try_onsale("send-test", "on-sale", "--to", "me@arena.example")
        check(done.returncode == 1 and "by mail" in done.stderr, "%s", done.stdout + done.stderr)
        launch.audit()


if __name__ == "__main__":
    tell([everything_answers, nobody_answers, keys_are_wrong, a_test_message_is_answered_for])
