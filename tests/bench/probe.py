#!/usr/bin/env python3
"""Asks /healthz 100 times a second over one kept connection, as a monitor would, until its standard input ends.

    tests/bench/probe.py SOCKET

Prints milliseconds from each request to its whole answer, one a line, with the wall time in front. A request is due every
10 ms; one that comes late because the answer before it was late is asked at once."""
import select
import socket
import sys
import time

EVERY_S = 0.01
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: onsale\r\n\r\n"


def answer(line):
    head = b""
    while b"\r\n\r\n" not in head:
        more = line.recv(65536)
        if not more:
            sys.exit("the daemon closed the connection")
        head += more
    fields, _, body = head.partition(b"\r\n\r\n")
    length = next(int(field.split(b":")[1]) for field in fields.split(b"\r\n") if field.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += line.recv(65536)


def main():
    line = socket.socket(socket.AF_UNIX)
    line.connect(sys.argv[1])
    out, due = [], time.perf_counter()
    while not select.select([sys.stdin], [], [], max(0, due - time.perf_counter()))[0]:
        asked = time.perf_counter()
        line.sendall(REQUEST)
        answer(line)
        out.append("%.3f %.3f" % (time.time(), (time.perf_counter() - asked) * 1000))
        due = max(due + EVERY_S, time.perf_counter())
    print("\n".join(out))


main()
