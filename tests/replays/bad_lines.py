#!/usr/bin/env python3
"""A line of a story that means nothing fails by itself, with its number and what was expected; the program goes on."""
import pathlib
import subprocess
import sys
import tempfile

DAEMON = """now 2027-03-26T08:00:00Z
person ann@example.org
define hall start=09:00:00
start
until 09:01:00
expect on-sale done
"""
# what goes before, the line, a part of what is said of it
BAD = [
    ("", "dance", "unknown word dance"),
    ("", "now", "now what?"),
    ("", "now yesterday", "yesterday"),
    ("", "reload", "reload: nothing runs"),
    ("", "crowd many", "many"),
    ("", "many x hall start=09:00:00", "\"x\""),
    ("", "define hall colour=red", "colour"),
    ("", "define hall start=late", "late"),
    ("", "lose nobody", "nobody was not there"),
    ("", "post", "post what?"),
    ("", "post slow", "post slow what?"),
    ("", "post slow soon", "soon"),
    ("", "post window", "post window what?"),
    ("", "post window wide", "wide"),
    ("", "post burn *", "post burn what?"),
    ("", "post refuse", "post refuse what?"),
    ("", "post refuse * never", "never"),
    ("", "post refuse * 550 often", "often"),
    ("", "post throttle * soon", "soon"),
    ("", "expect", "expect what?"),
    ("", "expect messages", "expect what?"),
    ("", "expect messages few", "few"),
    ("", "expect frozen perhaps", "expected yes or no"),
    ("", "expect pace many 1s", "many"),
    ("", "expect pace 1 soon", "soon"),
    ("", "expect on-sale done", "there is no notice on-sale"),
    ("", "expect letter 0 ann@example.org", "expected letter 0"),
    ("", "expect channel smoke well", "there is no notifier smoke"),
    ("", "expect asks some", "some"),
    ("", "word " * 70, "more than 64 words"),
    ("", "person " + "x" * 2000, "a line of more than 1023 bytes"),
    ("", "config", "has no end"),
    (DAEMON, "hold", "hold what?"),
    (DAEMON, "hold nothing", "there is no notice nothing"),
    (DAEMON, "sync often", "often"),
    (DAEMON, "refused", "refused what?"),
    (DAEMON, "refused retry", "expected retry to be refused"),
    (DAEMON, "refused dance on-sale", "expected dance to be refused"),
    (DAEMON, "refused reload", "expected reload to be refused"),
    (DAEMON, "retry on-sale", "retry what?"),
    (DAEMON, "retry on-sale refused", "retry whom?"),
    (DAEMON, "retry on-sale refused softly", "softly"),
    (DAEMON, "retry on-sale doubt 550", "retry whom?"),
    (DAEMON, "retry on-sale withheld", "retry whom?"),
    (DAEMON, "retry on-sale withheld moods", "retry whom?"),
    (DAEMON, "retry on-sale everybody", "retry whom?"),
    (DAEMON, "expect count on-sale heads 1", "there is no count of heads"),
    (DAEMON, "expect count on-sale accepted one", "one"),
    (DAEMON, "expect known ann@example.org maybe", "expected yes or no"),
    (DAEMON, "expect forecast on-sale soon", "soon"),
    (DAEMON, "expect event 09:00:00 first CONFIRMED", "first"),
    (DAEMON, "expect no", "expect what?"),
    (DAEMON, "rule on-sale, colour: red\nreload", "colour"),
]


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, (before, line, _) in enumerate(BAD):
            path = pathlib.Path(folder) / f"{i:02}.story"
            path.write_text(before + line + "\n")
            paths.append(path)
        run = subprocess.run([program, *paths], capture_output=True, text=True, check=False)
    print(f"1..{len(BAD)}")
    ended = [out for out in run.stdout.splitlines() if out.startswith(("ok ", "not ok "))]
    failed = 0
    for i, (path, (before, line, wanted)) in enumerate(zip(paths, BAD)):
        said = [err for err in run.stderr.splitlines() if err.startswith(f"{path}:")]
        at = f"{path}:{before.count(chr(10)) + 1 + line.count(chr(10))}:"
        fine = (i < len(ended) and ended[i].startswith("not ok")
                and any(err.startswith(at) and wanted in err for err in said))
        failed += not fine
        print(f"{'ok' if fine else 'not ok'} {i + 1} - {line[:40].splitlines()[0]}")
        if not fine:
            print(f"# expected {at} ... {wanted}; it said:", *(said or ["nothing"]), sep="\n# ")
    return failed > 0


sys.exit(main())
