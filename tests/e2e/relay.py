#!/usr/bin/env python3
"""The mail server refuses, goes away, comes back and leaves us in doubt."""
import time

from launch import Launch, check, tell

TAKES_EVERYTHING = {}


def quick_retries(launch):
    launch.rule["retry"] = {"attempts": 20, "first": "200ms", "cap": "1s"}


def held(launch, reason, *words):
    """Held with a text that says what the server said, and nobody is charged with it."""
    shown = launch.wait("held", reason)
    text = shown["reason_text"] or ""
    for word in words:
        check(word in text, "the text should say %r: %s", word, text)
    check("@" not in text, "an address in the text: %s", text)
    counts = shown["counts"]
    check(counts["refused"] == counts["withheld"] == counts["in_doubt"] == 0, "people were charged: %s", counts)
    return shown


def repaired(launch, shown):
    launch.onsale("release", shown["id"])
    launch.wait("done")
    launch.agree(launch.eligible())


def wrong_password():
    users = {"auth": ["PLAIN", "LOGIN"], "require_auth": True, "users": {"arena": "another"}}
    with Launch(behaviour=users, tls=True) as launch:
        launch.write("smtp.password", "secret-of-ours\n")
        launch.mail.update(tls="required", ca_file="cert.pem", username="arena", password_file="smtp.password")
        launch.run()
        shown = held(launch, "channel", "535")
        check("secret-of-ours" not in launch.log_since(), "the password is in the log")
        launch.nobody_told()
        launch.sink.behave(**dict(users, users={"arena": "secret-of-ours"}))
        repaired(launch, shown)


def refused_to_everybody(place):
    with Launch() as launch:
        launch.run()
        launch.wait("ready")
        launch.sink.behave(refuse=[{"to": "*", "at": place, "reply": "550 5.7.1 your mail looks like spam to us"}])
        shown = held(launch, "message", "550", "5.7.1", "looks like spam")
        check(not launch.mails(), "somebody was told")
        launch.sink.behave(**TAKES_EVERYTHING)
        repaired(launch, shown)


def refused_at_rcpt():
    refused_to_everybody("rcpt")


def refused_at_the_end():
    refused_to_everybody("dot")


def unknown_to_everybody():
    """5.1.1 is each one's own fault, but not twenty times in a row."""
    with Launch() as launch:
        launch.run()
        launch.wait("ready")
        launch.sink.behave(refuse=[{"to": "*", "at": "rcpt", "reply": "550 5.1.1 no such user"}])
        shown = launch.wait("held", "message")
        counts = shown["counts"]
        check(20 <= counts["refused"] <= 40, "%d refused", counts["refused"])
        check(counts["waiting"] == counts["planned"] - counts["refused"], "somebody is lost: %s", counts)
        check("550" in (shown["reason_text"] or ""), "it says %s", shown["reason_text"])
        launch.sink.behave(**TAKES_EVERYTHING)
        launch.onsale("retry", shown["id"], "--refused", 550)
        launch.onsale("release", shown["id"])
        launch.wait("done")
        launch.agree(launch.eligible())


def relay_gone():
    with Launch() as launch:
        quick_retries(launch)
        launch.run()
        launch.wait("ready")
        launch.sink.stop()
        launch.sleep_until(2.5)
        shown = launch.wait("sending")
        check(shown["counts"]["waiting"] == shown["counts"]["planned"], "%s", shown["counts"])
        check("event=channel_trouble" in launch.log_since(), "the log does not say that the relay is gone")
        launch.sink.start()
        launch.wait("done")
        launch.agree(launch.eligible())


def relay_gone_in_mid_run():
    """Killed while messages are on their way: what it took without a word is in doubt, everybody else is told."""
    with Launch() as launch:
        quick_retries(launch)
        launch.mail["rate"] = "50/s"
        launch.run()
        launch.sleep_until(0.6)
        launch.sink.stop()
        time.sleep(1)
        launch.sink.start()
        launch.wait("done")
        doubt = {address for address, person in launch.people().items() if person["state"] == "in doubt"}
        check(len(doubt) <= 16, "%d in doubt", len(doubt))
        launch.agree(launch.eligible() - doubt, doubt)


def going_down():
    """421 instead of an answer, on every connection, in mid-run."""
    with Launch() as launch:
        quick_retries(launch)
        launch.mail["rate"] = "50/s"
        launch.run()
        launch.sleep_until(0.6)
        launch.sink.behave(mail="421 4.3.2 going down")
        launch.sleep_until(2)
        check(launch.notice()["state"] == "sending", "it is %s", launch.notice()["state"])
        launch.sink.behave(**TAKES_EVERYTHING)
        launch.wait("done")
        launch.agree(launch.eligible())


def few_messages_per_connection():
    """421 after every third message."""
    with Launch(behaviour={"messages_per_connection": 3}) as launch:
        quick_retries(launch)
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())


def greylisting():
    with Launch(behaviour={"greylist": "450 4.2.0 greylisted, come again"}) as launch:
        quick_retries(launch)
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())
        address = min(launch.eligible())
        steps = [step["what"] for step in launch.ask("why", address)["notices"][0]["steps"]]
        check(any("450" in step for step in steps) and steps[-1].startswith("accepted"), "why says %s", steps)


def some_put_off():
    """Whoever is put off by their own mail server is seen while it is so: in notices, in status, in the log; without addresses."""
    busy = {"refuse": [{"to": "p*7@*", "at": "rcpt", "reply": "450 4.2.0 p7@example.org: mailbox busy"}]}
    with Launch(behaviour=busy) as launch:
        launch.rule["retry"] = {"attempts": 100, "first": "1s", "cap": "2s"}
        launch.run()
        count = len([address for address in launch.eligible() if address.endswith("7@example.org")])

        def seen():
            row = launch.notice() or {}
            return row.get("put_off", {}).get("people") == count and row["counts"]["waiting"] == count

        def says(what, text):
            """Now and then some of them are on their way again."""
            launch.until(lambda: text in launch.onsale(what), f"{what} to say {text!r}")

        launch.until(seen, "the listing to tell of those who are put off")
        says("notices", f"sending, {count} put off")
        says("status", f": {count} people are tried again by mail, the first at ")
        says("status", ": 450 4.2.0 ***: mailbox busy")
        launch.until(lambda: "event=put_off " in launch.log_since(), "the log to tell of them")
        launch.sink.behave(**TAKES_EVERYTHING)
        launch.wait("done")
        launch.agree(launch.eligible())
        told = [line for line in launch.log_since().splitlines() if "event=put_off" in line]
        check(len(told) == 2 and " people=" in told[0] and "said=\"450 4.2.0" in told[0], "%s", told)
        check("event=put_off_over" in told[1] and "@" not in "".join(told), "%s", told)
        check("put_off" not in launch.notice() and "tried again" not in launch.onsale("status"), "it does not end")


def some_refused():
    with Launch(behaviour={"refuse": [{"to": "p*7@*", "at": "rcpt", "reply": "550 5.1.1 no such user here"}]}) as launch:
        launch.run()
        shown = launch.wait("done")
        refused = {address for address in launch.eligible() if address.endswith("7@example.org")}
        check(refused, "nobody to refuse")
        launch.agree(launch.eligible() - refused)
        check(shown["counts"]["refused"] == len(refused), "%s", shown["counts"])
        said = [reason for reason in shown["reasons"] if reason["state"] == "refused"]
        check(len(said) == 1 and said[0]["code"] == 550 and said[0]["count"] == len(refused) and
              "no such user here" in said[0]["text"], "the report says %s", said)
        launch.sink.behave(**TAKES_EVERYTHING)
        launch.onsale("retry", shown["id"], "--refused", 550)
        launch.wait("done")
        launch.until(lambda: launch.notice()["counts"]["refused"] == 0, "the refused ones to be told")
        launch.agree(launch.eligible())


def doubt_after_it_was_stored():
    """Every fifth time the server goes away between the final dot and its answer."""
    with Launch(behaviour={"drop": "dot_stored", "drop_every": 5}) as launch:
        quick_retries(launch)
        launch.run()
        shown = launch.wait("done")
        doubt = {address for address, person in launch.people().items() if person["state"] == "in doubt"}
        check(doubt and shown["counts"]["in_doubt"] == len(doubt), "%s", shown["counts"])
        launch.agree(launch.eligible() - doubt, doubt)
        check(doubt <= {mail["to"] for mail in launch.mails()}, "in doubt, but the server never had it")


def doubt_before_it_was_stored():
    """... and an operator who knows that nothing arrived has them told."""
    with Launch(behaviour={"drop": "dot_unstored", "drop_every": 5}) as launch:
        quick_retries(launch)
        launch.run()
        shown = launch.wait("done")
        check(shown["counts"]["in_doubt"] == len(launch.mails("dropped")) > 0, "%s", shown["counts"])
        launch.sink.behave(**TAKES_EVERYTHING)
        launch.onsale("retry", shown["id"], "--in-doubt")
        launch.until(lambda: launch.notice()["counts"]["accepted"] == shown["counts"]["planned"], "all to be told")
        launch.wait("done")
        launch.agree(launch.eligible())


def dropped_before_the_message(place):
    """Nothing of a message has left: nobody is in doubt."""
    with Launch(behaviour={"drop": place, "drop_every": 4}) as launch:
        quick_retries(launch)
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())


def dropped_at_connect():
    dropped_before_the_message("connect")


def dropped_at_mail():
    dropped_before_the_message("mail")


def dropped_at_rcpt():
    dropped_before_the_message("rcpt")


def dropped_at_data():
    dropped_before_the_message("data")


def dropped_after_the_answer():
    """It was taken, and said so: no doubt either."""
    dropped_before_the_message("dot_answered")


def no_answer_in_time():
    """The final dot is never answered on some connections: in doubt after answer_timeout."""
    with Launch() as launch:
        quick_retries(launch)
        launch.mail.update(answer_timeout="1s", rate="40/s")
        launch.run()
        launch.sleep_until(0.5)
        launch.sink.behave(hang="dot")
        launch.sleep_until(1)
        launch.sink.behave(**TAKES_EVERYTHING)
        launch.wait("done")
        doubt = {address for address, person in launch.people().items() if person["state"] == "in doubt"}
        check(0 < len(doubt) <= 8, "%d in doubt, there are 4 connections with 2 on each at most", len(doubt))
        launch.agree(launch.eligible() - doubt, doubt)


def no_tls_to_be_had():
    """tls: required is the default; a server without it gets neither mail nor password."""
    with Launch() as launch:
        del launch.mail["tls"]
        launch.run()
        launch.sleep_until(2)
        shown = launch.show()
        check("TLS" in launch.log_since() or "STARTTLS" in launch.log_since(), "the log does not say what is missing")
        check(shown["counts"]["waiting"] == shown["counts"]["planned"], "%s", shown["counts"])
        launch.nobody_told()


def a_certificate_of_nobody():
    with Launch(tls=True) as launch:
        del launch.mail["tls"]
        launch.run()
        launch.sleep_until(2)
        shown = launch.show()
        check("certificate" in launch.log_since(), "the log does not say what is wrong")
        check(shown["counts"]["waiting"] == shown["counts"]["planned"], "%s", shown["counts"])
        launch.nobody_told()
        launch.mail["ca_file"] = "cert.pem"
        launch.reload()
        launch.wait("done")
        launch.agree(launch.eligible())


def a_stream_that_breaks(what, doubt, dot_s=0):
    """The server cannot take an envelope right behind a message: that is found out, at the cost of two people at most."""
    with Launch(behaviour={"behind": what, "delay": {"dot": dot_s}}) as launch:
        quick_retries(launch)
        launch.mail["command_timeout"] = "300ms"
        launch.run()
        shown = launch.wait("done")
        doubtful = {address for address, person in launch.people().items() if person["state"] == "in doubt"}
        check(len(doubtful) == doubt, "%d in doubt", len(doubtful))
        check(shown["counts"]["accepted"] + doubt == shown["counts"]["planned"], "%s", shown["counts"])
        launch.agree(launch.eligible() - doubtful, doubtful)
        check(launch.log_since().count("event=stream_broken") == 1, "the log should say it once")


def a_stream_that_is_refused():
    a_stream_that_breaks("refuse_body", 0)


def a_stream_that_is_told_off():
    a_stream_that_breaks("refuse_mail", 0)


def a_stream_that_is_lost():
    a_stream_that_breaks("lose", 0, dot_s=0.3)  # else all the others are told before it is tried a second time


def a_stream_that_ends_the_connection():
    a_stream_that_breaks("drop_stored", 2)


def five_connections_at_most():
    """Twenty are configured. Everybody is told over five, and the server is not stormed."""
    with Launch(behaviour={"connections": 5, "delay": {"dot": 0.05}}) as launch:
        launch.mail["connections"] = 20
        launch.run()
        shown = launch.wait("done")
        check(shown["counts"]["accepted"] == shown["counts"]["planned"], "%s", shown["counts"])
        launch.agree(launch.eligible())
        why = launch.ask("why", min(launch.eligible()))["notices"][0]["steps"]
        check(not any("too many" in step["what"] for step in why), "somebody was charged: %s", why)
        attempts = launch.sink.behave(op="counts")["connections"]
        check(5 <= attempts <= 15, "%d attempts to connect", attempts)
        failed = [line for line in launch.log_since().splitlines() if "event=connection_failed" in line]
        check(failed and all('too many connections from you"' in line for line in failed), "no reason: %s", failed)


def slow_and_byte_by_byte():
    with Launch(behaviour={"split": True, "lower_case": True, "delay": {"greeting": 0.3, "dot": 0.05}}) as launch:
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())


def without_pipelining():
    with Launch(behaviour={"no_pipelining": True}) as launch:
        launch.run()
        launch.wait("done")
        launch.agree(launch.eligible())


STORIES = [
    wrong_password, refused_at_rcpt, refused_at_the_end, unknown_to_everybody, relay_gone, relay_gone_in_mid_run,
    going_down, few_messages_per_connection, greylisting, some_put_off, some_refused, doubt_after_it_was_stored,
    doubt_before_it_was_stored, dropped_at_connect, dropped_at_mail, dropped_at_rcpt, dropped_at_data,
    dropped_after_the_answer, no_answer_in_time, no_tls_to_be_had, a_certificate_of_nobody, a_stream_that_is_refused,
    a_stream_that_is_told_off, a_stream_that_is_lost, a_stream_that_ends_the_connection, five_connections_at_most,
    slow_and_byte_by_byte, without_pipelining]

if __name__ == "__main__":
    tell(STORIES)
