#!/usr/bin/env python3
"""The unsubscribe page as people see it, in a real Chromium: unsubscribe_browser.mjs looks, this has the launch behind it."""
import json
import os
import resource
import subprocess

from launch import check, tell
from unsubscribe import Open, link_in

LOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unsubscribe_browser.mjs")
WORDS = {
    "en": {"ask": "Unsubscribe from these emails?", "this": "Unsubscribe", "all": "Unsubscribe from all lists",
           "done": "You are unsubscribed", "doneAll": "You are unsubscribed from all lists"},
    "de": {"ask": "Von diesen E-Mails abmelden?", "this": "Abmelden", "all": "Von allen Listen abmelden",
           "done": "Sie sind abgemeldet", "doneAll": "Sie sind von allen Listen abgemeldet"},
}


def look(**orders):
    done = subprocess.run(["node", LOOK, json.dumps(orders)], capture_output=True, text=True, timeout=200)
    check(done.returncode == 0, "%s", done.stderr)


def told(launch, *languages):
    """{language: link} of a launch to a person of each."""
    launch.config["audiences"] = [{"name": "door", "source": "file", "path": "door.csv"}]
    launch.rule["audiences"] = ["door"]
    launch.write("door.csv", "email,status,locale\n" + "".join(
        "%s-the-one-with-a-very-long-name@a-domain-that-is-long-as-well.example.org,subscribed,%s\n" % (lang, lang)
        for lang in languages))
    launch.run()
    launch.wait("done")
    return {address[:2]: link_in(letters[0]) for address, letters in launch.letters().items()}


def by_keyboard_without_javascript():
    with Open() as launch:
        links = told(launch, "en", "de")
        look(walks=[{"lang": lang, "link": links[lang], "words": WORDS[lang]} for lang in links])
        check(sorted(launch.suppressed()) == 2 * [("", "unsubscribe")] + 2 * [("door", "unsubscribe")], "%s",
              launch.suppressed())


def for_everybody():
    """Judged by axe in every language, light and dark: contrast, names, landmarks, sizes."""
    languages = ["en", "de", "es", "fr", "it", "lt", "nl", "pl"]
    with Open() as launch:
        links = told(launch, *languages)
        _, most = resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (4096, most))  # its disk is full
        look(audits=[{"name": "later", "link": links["en"], "clicks": ["this"], "schemes": ["light", "dark"]}])
        resource.prlimit(launch.daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        check(launch.suppressed() == [], "%s", launch.suppressed())
        audits = [{"name": lang, "link": link, "clicks": ["this", "all"], "schemes": ["light"]} for lang, link in links.items()]
        audits.append({"name": "broken", "link": links["en"][:-1], "clicks": [], "schemes": ["light", "dark"]})
        audits.append({**audits[0], "schemes": ["dark"]})
        look(audits=audits)


if __name__ == "__main__":
    tell([by_keyboard_without_javascript, for_everybody])
