#!/usr/bin/env python3
"""The list of who is not written to, out of one store and into another: by CSV, as large as it comes, with every line
that is wrong named; and by the API, all or none."""

import csv
import io
import json
import os
import shutil
import socket
import subprocess
import time

import small

# What a file holds, the exit code, and what must be said (each of them).
FILES = [
    ("", 1, ["the file is empty"]),
    ("\n\n", 1, ["the file is empty"]),
    ("ada@fans.example\n", 1, ["f.csv:1: the first line has to name the columns"]),
    ("name,city\nAda,Vilnius\n", 1, ["f.csv:1: the first line has to name the columns"]),
    ("email,address\na@b.example,a@b.example\n", 1, ["f.csv:1: two columns mean", "take one away"]),
    ("\xff\xfee\x00m\x00".encode("latin-1"), 1, ["UTF-16"]),
    ("email\n", 0, ["0 lines: 0 are"]),
    ("email\nx1@b.example", 0, ["1 lines: 1 are not written to any more, 0 were"]),
    ("\ufeffE-Mail\r\nX1@B.example\r\n\r\nx2@b.example\r\n", 0, ["2 lines: 1 are not written to any more, 1 were"]),
    ("name;Email Address;city\nAda;x3@b.example;Vilnius\n", 0, ["not read: name, city", "1 lines: 1 are"]),
    ("email\tat\nx4@b.example\t2027-03-26T08:00:00+02:00\n", 0, ["1 lines: 1 are"]),
    ("email\nx5@b.example\nnobody\nx6@b.example\n", 1,
     ["f.csv:3: address: ", "nothing was imported: 1 of 3 lines are bad (--skip-bad takes the others)"]),
    ("email,reason\nx5@b.example,boredom\n", 1, ["f.csv:2: reason: expected operator, unsubscribe, bounce"]),
    ("email,at\nx5@b.example,yesterday\n", 1, ["f.csv:2: at: expected a time such as 2027-03-26T08:00:00Z"]),
    ("email,scope\nx5@b.example,vips\n", 1, ['f.csv:2: scope: there is no audience "vips"']),
    ("email,key\n,\n", 1, ["f.csv:2: address: missing, and there is no key either"]),
    ("key\n1234\n", 1, ["f.csv:2: key: expected 32 hexadecimal digits"]),
    ("key\n0123456789abcdef0123456789abcdeg\n", 1, ["f.csv:2: key: expected 32 hexadecimal digits"]),
    ("address,key\nx5@b.example,0123456789abcdef0123456789abcdef\n", 1, ["f.csv:2: ", "the list was made with other keys"]),
    ("email,name\nx5@b.example\n", 1, ["f.csv:2: expected 2 columns, as the first line has, found 1"]),
    ("email\nx5@b.example\n\"never closed\n", 1, ["f.csv:3: "]),
    ("email\nx5@b.example\nx\x1b[31m@b.example\n", 1, ["f.csv:3: address: "]),
    ("email\n" + "bad\n" * 50, 1, ["f.csv:21: ", "... and 30 more lines", "50 of 50 lines"]),
]


def lines_of(text):
    return list(csv.reader(io.StringIO(text)))


def exported(b):
    answer = b.run("suppressions", "--csv")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def take(b, *arguments, **more):
    return subprocess.run([os.path.join(small.BUILD, "onsale"), "suppress", *arguments], env=b.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, **more)


def what_is_wrong_is_named(b):
    for content, code, said in FILES:
        with open(b.path("f.csv"), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        before = exported(b)
        answer = take(b, "--from", "f.csv", cwd=b.folder)
        text = (answer.stdout + answer.stderr).decode()
        assert answer.returncode == code and all(word in text for word in said), (content[:80], answer.returncode, text)
        assert "b.example" not in answer.stderr.decode() and "\x1b" not in text, text
        assert code == 0 or exported(b) == before, "something was imported: " + text
    assert [row[4] for row in lines_of(exported(b)) if row[0] == "" and row[4].startswith("2027")] == \
        ["2027-03-26T06:00:00.000Z"]
    for arguments, code, said in (
            ([], 2, "say whom: ADDRESS, or --from FILE"), (["a@b.example", "--from", "f.csv"], 2, "not both"),
            (["--from", b.path("none.csv")], 1, "No such file"), (["--from", b.folder], 1, "directory"),
            (["--from"], 2, "a value is missing")):
        answer = take(b, *arguments)
        assert answer.returncode == code and said in answer.stderr.decode(), (arguments, answer)


def bad_lines_can_be_left_out(b):
    answer = take(b, "--from", "-", "--skip-bad", "--audience", "fans",
                  input=b"email,key\ny1@b.example,\nnobody,\ny2@b.example,0123456789abcdef0123456789abcdef\ny3@b.example,\n")
    text = (answer.stdout + answer.stderr).decode()
    assert answer.returncode == 0 and "2 lines: 2 are not" in text and "2 bad lines were left out" in text, text
    assert "standard input:3: address" in text and "standard input:4: key" in text, text
    assert len([1 for row in lines_of(exported(b)) if row[2] == "fans"]) == 2


def ask(b, body):
    """(status, answer) of POST suppressions."""
    data = json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(b.path("onsale.sock"))
        line.sendall(b"POST /api/v1/suppressions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        got = b""
        while chunk := line.recv(65536):
            got += chunk
    return int(got.split()[1]), json.loads(got.partition(b"\r\n\r\n")[2])


def the_api_takes_all_or_none(b):
    good = {"address": "z1@b.example", "scope": "fans", "reason": "complaint", "at": "2026-01-01T00:00:00Z"}
    for entries, said in (
            ([good, {}], "entries.1: address: missing"), ([good, {"address": 7}], "entries.1: address: expected a text"),
            ([good, []], "entries.1: expected an object"), ([{"key": "xyz"}], "entries.0: key"),
            ([good, dict(good, color="red")], 'entries.1: unknown key "color"'),
            ([good, dict(good, scope="vips")], 'entries.1: scope: there is no audience "vips"'),
            ([good] * 501, "expected at most 500"), ({}, "entries: expected a list"), (None, "entries: missing")):
        status, answer = ask(b, {} if entries is None else {"entries": entries})
        assert status == 400 and said in answer["detail"], (said, answer)
    assert ask(b, {"entries": [{}]})[1]["errors"][0]["pointer"] == "#/entries/0"
    assert ask(b, {"entries": [good], "check": True}) == (200, {"new": 0})
    assert "complaint" not in exported(b)
    assert ask(b, {"entries": [good, dict(good, scope=None)]}) == (200, {"new": 2})
    assert ask(b, {"entries": [good, dict(good, at="2027-01-01T00:00:00Z")]}) == (200, {"new": 0})
    assert ask(b, {"entries": []}) == (200, {"new": 0})
    assert sum("2026-01-01T00:00:00.000Z" in row for row in lines_of(exported(b))) == 2


def large_lists_take_seconds(b):
    with open(b.path("large.csv"), "w", encoding="utf-8") as file:
        file.write("email,reason\n" + "".join("many%d@b.example,unsubscribe\n" % i for i in range(100000)))
    begun = time.time()
    asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"  # with a sanitizer what is freed is kept for a while
    answer = subprocess.run(["/usr/bin/env", "python3", "-c", MEASURE, os.path.join(small.BUILD, "onsale"), "suppress",
                             "--from", b.path("large.csv")], env={**b.environment, "ASAN_OPTIONS": asan},
                            stdout=subprocess.PIPE, timeout=120)
    took, memory = time.time() - begun, int(answer.stdout.split()[-1])
    assert b"100000 lines: 100000 are" in answer.stdout, answer
    print("# 100000 lines: %.1f s, %d KB" % (took, memory))
    assert took < 60 and memory < 60000, "%.1f s, %d KB" % (took, memory)
    answer = take(b, "--from", b.path("large.csv"))
    assert b"100000 lines: 0 are not written to any more, 100000 were" in answer.stdout, answer


MEASURE = """import os, resource, sys
if os.fork() == 0:
    os.execv(sys.argv[1], sys.argv[1:])
assert os.wait()[1] == 0
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def out_and_in_again(b):
    """Another store with the same keys: the same list. What a spreadsheet would run comes back as it was."""
    assert take(b, "--from", "-", input=b"email\n'=+y@b.example\n+plus@b.example\n-minus@b.example\n=is@b.example\n").returncode == 0
    first = exported(b)
    assert len(lines_of(first)) > 100000
    assert len(b.json("suppressions")) == len(lines_of(first)) - 1
    assert "SINCE" in b.run("suppressions").stdout
    other = small.Small()
    try:
        other.sale(600)
        shutil.copy(b.path("onsale.keys"), other.path("onsale.keys"))
        os.chmod(other.path("onsale.keys"), 0o600)
        other.start()
        answer = take(other, "--from", "-", input=first.encode())
        assert answer.returncode == 0, answer
        assert sorted(exported(other).splitlines()) == sorted(first.splitlines())
        other.stop()
        assert sorted(exported(other).splitlines()) == sorted(first.splitlines())  # without a daemon
        assert b"no daemon runs" in take(other, "--from", "-", input=b"email\na@b.example\n").stderr
    finally:
        other.close()


def test(b):
    b.sale(600)
    b.start()
    for step in (what_is_wrong_is_named, bad_lines_can_be_left_out, the_api_takes_all_or_none, large_lists_take_seconds,
                 out_and_in_again):
        step(b)
    with open(b.path("log"), encoding="utf-8") as log:
        assert "@b.example" not in log.read()


small.main(test)
