#!/usr/bin/env python3
"""Python's email package reads back what mime.c wrote: an implementation that shares nothing with ours.

usage: mime_judge.py TABLE-MIME   (the program tests/tables/mime.c)
"""
import email
import email.header
import email.policy
import email.utils
import os
import re
import subprocess
import sys
import tempfile
import unicodedata

ONCE = ["Date", "From", "To", "Subject", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
        "Auto-Submitted", "Precedence", "MIME-Version", "Content-Type"]
CONTROLS = {0x2028, 0x2029} | set(range(0x202A, 0x202F)) | set(range(0x2066, 0x206A))


def read_parts(path):
    """From name, to name, subject, text, html, link, what is attached: each as "LENGTH\\nBYTES\\n"."""
    data, at, parts = open(path, "rb").read(), 0, []
    while at < len(data):
        end = data.index(b"\n", at)
        size = int(data[at:end])
        parts.append(data[end + 1:end + 1 + size])
        at = end + 2 + size
    return parts


def is_utf8(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


def cleaned(raw):
    """What a header may show of a value: controls and runs of blanks are one blank."""
    shown = "".join(" " if unicodedata.category(c) == "Cc" or ord(c) in CONTROLS else c for c in raw.decode())
    return re.sub(" +", " ", shown).strip(" ")


def lines(raw):
    """Any line ends, and the last line ends too."""
    text = raw.decode().replace("\r\n", "\n").replace("\r", "\n")
    return text if not text or text.endswith("\n") else text + "\n"


def display_name(raw, header):
    """By the older reader: the newer one of Python 3.11 keeps the blank between two encoded words of a phrase."""
    value = email.message_from_bytes(raw)[header].replace("\r\n", "").replace("\n", "")
    return str(email.header.make_header(email.header.decode_header(email.utils.parseaddr(value)[0])))


def content(part):
    return part.get_content().replace("\r\n", "\n")


def judge(path):
    raw = open(path, "rb").read()
    from_name, to_name, subject, text, html, link, attached = read_parts(path[:-4] + ".parts")
    faults = []

    def expect(what, found, wanted):
        if found != wanted:
            faults.append(f"{what}: found {found!r}, expected {wanted!r}")

    for number, line in enumerate(raw.split(b"\r\n"), 1):
        if b"\r" in line or b"\n" in line:
            faults.append(f"line {number}: a bare line end")
        if len(line) > 998:
            faults.append(f"line {number}: {len(line)} bytes")
        if b"=?" in line and len(line) > 76 and number < 30:
            faults.append(f"line {number}: {len(line)} bytes with an encoded word")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        if part.defects:
            faults.append(f"defects: {part.defects}")
    for name in ONCE:
        expect(f"times {name} occurs", len(message.get_all(name, [])), 1)
        if name in message and getattr(message[name], "defects", ()):
            faults.append(f"{name}: {message[name].defects}")
    expect("other headers", sorted(set(message.keys()) - set(ONCE) - {"Content-Transfer-Encoding"}), [])
    expect("sender", [a.addr_spec for a in message["From"].addresses], ["tickets@arena.example"])
    expect("recipient", [a.addr_spec for a in message["To"].addresses], ["ana@fans.example"])
    for what, found, wanted in (("name of the sender", display_name(raw, "From"), from_name),
                                ("name of the recipient", display_name(raw, "To"), to_name),
                                ("subject", str(message["Subject"]), subject)):
        if is_utf8(wanted):
            expect(what, found, cleaned(wanted))
    expect("link", re.sub(r"\s", "", message["List-Unsubscribe"]), "<" + link.decode() + ">")
    plain = message.get_body(("plain",))
    expect("text", content(plain), lines(text))
    texts = message
    if message.get_content_type() == "multipart/mixed":
        texts, calendar = message.iter_parts()
        expect("type", calendar["Content-Type"], 'text/calendar; method="PUBLISH"; charset="utf-8"; name="sale.ics"')
        expect("disposition", (calendar.get_content_disposition(), calendar.get_filename()), ("attachment", "sale.ics"))
        expect("attached", calendar.get_payload(decode=True).decode(), lines(attached).replace("\n", "\r\n"))
    else:
        expect("attached", attached, b"")
    if html:
        expect("html", content(message.get_body(("html",))), lines(html))
        expect("order", [p.get_content_type() for p in texts.iter_parts()], ["text/plain", "text/html"])
    else:
        expect("the only text", texts.get_content_type(), "text/plain")
    return faults


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([sys.argv[1]], env=dict(os.environ, MIME_JUDGE=folder), stdout=subprocess.DEVNULL)
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".eml"):
                continue
            count += 1
            for fault in judge(os.path.join(folder, name)):
                failed += 1
                print(f"{name}: {fault}", file=sys.stderr)
    print(f"{count} messages, {failed} faults")
    sys.exit(failed > 0 or count < 500 or made.returncode != 0)


if __name__ == "__main__":
    main()
