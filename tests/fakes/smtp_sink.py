#!/usr/bin/env python3
"""A mail server that takes everything, remembers it, and is nasty on demand.

    smtp_sink.py [--behaviour FILE] [--log FILE] [--cert PEM --key PEM] [--smtps] [--port N] [--control N] [--many FILE]

Prints `listening PORT` and `control PORT` when it is ready. --many makes it many servers, each on a port of its own: the file
says {NAME: BEHAVIOUR}, where a behaviour may also have "cert", "key" and "smtps" as on the command line; the ports are printed
first, as `many {NAME: PORT}`. Lines of the log then have {"sink": NAME}, and orders {"of": NAME} are for that one. Every message (taken or not) is one line of JSON in the log:
{"time": ms, "from", "to", "message_id", "result": "taken" | "refused" | "dropped", "code", "size"}; the line is flushed
before the answer to the final dot leaves, so whatever becomes of the client, the log is the truth.

The behaviour is JSON: the file at start, or a line on the control port at any time, which replaces it and applies from
the next command on ({"op": "counts"} answers with counts instead, {"op": "close"} drops every connection). Keys:
  delay          {"greeting" | "ehlo" | "auth_reply" | "mail" | "rcpt" | "data" | "dot": seconds}, or one number for all replies
  greeting, ehlo, auth_reply, starttls, mail, rcpt, data, dot, noop, rset
                 the whole reply instead of the usual one, e.g. "421 4.3.2 going down" (421 closes the connection)
  refuse         [{"to": GLOB, "at": "rcpt" | "data" | "dot", "reply": "550 5.1.1 no such user"}], first match
  greylist       the reply to the first RCPT of each address, e.g. "450 4.2.0 greylisted, come again"
  refuse_every   N, with refuse_reply: every Nth recipient is refused at RCPT
  drop           "connect" | "mail" | "rcpt" | "data" | "body" | "dot_unstored" | "dot_stored" | "dot_answered"
  drop_every     N: only every Nth time that place is reached (default 1: always)
  reset          true: who is dropped gets a reset instead of an orderly end
  unsolicited    N: "421" without being asked, instead of the answer to the Nth command of a connection
  messages_per_connection  N, then 421
  connections    N open at a time; who comes then hears 421 instead of the greeting
  behind         what becomes of an envelope that came right behind a final dot: "drop" (the connection, with the message),
                 "drop_stored" (it was taken), "refuse_body" (554 for the message), "refuse_mail" (503 for the envelope),
                 "lose" (it is never answered)
  auth           ["PLAIN", "LOGIN"] offered; users {"name": "password"}; require_auth: 530 without
  no_starttls, no_pipelining, lower_case, split (bytes one by one), coalesce (pipelined answers in one write),
  size_limit     offered as SIZE
  hang           a place of `delay`, "starttls", "handshake" (of TLS) or "body" (it is not read), where no answer ever comes
  raw            {place of `delay`: the very characters (Latin-1) that are sent instead of the reply}
  endless        a place of `delay` at which lines of a reply come and come
  closed         true, from the start: connections are refused until another behaviour comes
  impatient      seconds until it says 421 by itself when no command comes
  answers        true: also a line {"result": "answered"} when the answer to the final dot is out, "unanswered" when the body
                 was not read, "left" when a client went away from where we hang
  keep           true: lines of the log have the whole message too, as "raw"
"""
import argparse
import asyncio
import base64
import fnmatch
import json
import re
import socket
import ssl
import struct
import sys
import time


class Drop(Exception):
    pass


class Sink:
    def __init__(self, name, behaviour, log, cert, key, smtps):
        self.name, self.behaviour, self.log, self.smtps = name, behaviour, log, smtps
        self.tls = None
        if cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(cert, key)
        self.reached = {}
        self.greylisted = set()
        self.counts = {"connections": 0, "taken": 0, "refused": 0, "dropped": 0, "commands": 0, "behind": 0, "to": {}}
        self.open = 0
        self.writers = set()

    def get(self, key, default=None):
        return self.behaviour.get(key, default)

    def drops(self, place):
        if self.get("drop") != place:
            return False
        self.reached[place] = self.reached.get(place, 0) + 1
        return self.reached[place] % self.get("drop_every", 1) == 0

    def remember(self, session, result, code, size=0):
        self.counts[result] = self.counts.get(result, 0) + 1
        if not self.log:
            return
        self.log.write(json.dumps({
            **({"sink": self.name} if self.name else {}),
            "time": int(time.time() * 1000), "from": session.sender, "to": session.recipients[0]
            if len(session.recipients) == 1 else session.recipients, "message_id": session.message_id,
            "result": result, "code": code, "size": size,
            **({"raw": session.raw.decode("utf-8", "replace")} if self.get("keep") else {})}) + "\n")
        self.log.flush()


class Session:
    def __init__(self, sink, reader, writer, secure):
        self.sink, self.reader, self.writer, self.secure = sink, reader, writer, secure
        self.sender, self.recipients, self.message_id = None, [], None
        self.logged_in, self.commands, self.messages = False, 0, 0
        self.pending, self.raw = b"", b""
        self.told_off = False

    async def hang(self, place):
        await self.flush()
        await self.reader.read()  # until the client has had enough
        if self.sink.get("answers"):
            self.sink.remember(self, "left", place)
        raise Drop()

    async def odd(self, place):
        """Whether something other than a reply is said here."""
        sink = self.sink
        if sink.get("hang") == place:
            await self.hang(place)
        while sink.get("endless") == place:
            self.pending += b"250-" + b"and so on " * 20 + b"\r\n"
            await self.flush()
        raw = sink.get("raw", {}).get(place)
        if raw is None:
            return False
        self.pending += raw.encode("latin-1")
        await self.flush()
        return True

    async def say(self, place, usual):
        sink = self.sink
        if await self.odd(place):
            reply = re.match(r"(?:\d{3}-[^\0\r\n]*\r?\n)*(\d{3})(?: [^\0\r\n]*)?\r?\n", sink.get("raw")[place])
            return reply.group(1) if reply else "000"
        delay = sink.get("delay", 0)
        delay = delay.get(place, 0) if isinstance(delay, dict) else delay
        if delay:
            await self.flush()
            await asyncio.sleep(delay)
        reply = sink.get(place, usual) if isinstance(sink.get(place, usual), str) else usual
        lines = reply.split("\n")
        code = lines[0][:3]
        lines = [code + ("-" if i < len(lines) - 1 else " ") + (line[4:] if i == 0 or line[:3] == code else line)
                 for i, line in enumerate(lines)]
        self.pending += "".join(line + "\r\n" for line in lines).encode()
        if not sink.get("coalesce"):
            await self.flush()
        if code == "421":
            await self.flush()
            raise Drop()
        return code

    async def flush(self):
        data, self.pending = self.pending, b""
        if self.sink.get("split"):
            for i in range(len(data)):
                self.writer.write(data[i:i + 1])
                await self.writer.drain()
                await asyncio.sleep(0)
        elif data:
            self.writer.write(data)
            await self.writer.drain()

    async def line(self):
        if self.pending and not self.reader._buffer:
            await self.flush()
        try:
            line = await asyncio.wait_for(self.reader.readline(), self.sink.get("impatient"))
        except asyncio.TimeoutError:
            await self.say("", "421 4.4.2 idle for too long")
        if not line.endswith(b"\n"):
            raise Drop()
        return line

    async def run(self):
        if self.sink.drops("connect"):
            raise Drop()
        if self.sink.open > self.sink.get("connections", 1 << 60):
            await self.say("", "421 4.7.0 too many connections from you")
        if (await self.say("greeting", "220 sink ESMTP"))[0] != "2":
            return
        while True:
            line = (await self.line()).decode("utf-8", "replace").rstrip("\r\n")
            self.sink.counts["commands"] += 1
            self.commands += 1
            if self.commands == self.sink.get("unsolicited", -1):
                await self.say("", "421 4.3.2 shutting down")
            word = line.split(" ", 1)[0].upper()
            handler = getattr(self, "on_" + word.lower(), None)
            if not handler:
                await self.say("", "500 5.5.2 what?")
            elif await handler(line) is False:
                return

    async def on_ehlo(self, line):
        sink, offers = self.sink, []
        if not sink.get("no_pipelining"):
            offers.append("PIPELINING")
        if sink.get("size_limit"):
            offers.append("SIZE %d" % sink.get("size_limit"))
        if sink.tls and not self.secure and not sink.get("no_starttls"):
            offers.append("STARTTLS")
        if sink.get("auth"):
            offers.append("AUTH " + " ".join(sink.get("auth")))
        offers += ["8BITMIME", "ENHANCEDSTATUSCODES"]
        if sink.get("lower_case"):
            offers = [offer.lower() for offer in offers]
        await self.say("ehlo", "250 " + "\n".join(["sink at your service"] + offers))

    async def on_helo(self, line):
        await self.say("helo", "250 sink")

    async def on_starttls(self, line):
        if not self.sink.tls or self.secure:
            await self.say("starttls", "502 5.5.1 no")
            return
        if await self.say("starttls", "220 go on") != "220":
            return
        if self.sink.get("hang") == "handshake":
            await self.hang("handshake")
        await self.writer.start_tls(self.sink.tls)
        self.secure = True

    async def on_auth(self, line):
        parts = line.split(" ")
        name = password = ""
        try:
            if parts[1].upper() == "PLAIN":
                if len(parts) < 3:
                    await self.say("", "334 ")
                    parts.append((await self.line()).decode().strip())
                _, name, password = base64.b64decode(parts[2]).decode().split("\0")
            elif parts[1].upper() == "LOGIN":
                if len(parts) < 3:
                    await self.say("", "334 VXNlcm5hbWU6")
                    parts.append((await self.line()).decode().strip())
                name = base64.b64decode(parts[2]).decode()
                await self.say("", "334 UGFzc3dvcmQ6")
                password = base64.b64decode((await self.line()).decode().strip()).decode()
        except ValueError:
            await self.say("", "501 5.5.2 cannot read that")
            return
        if self.sink.get("users", {}).get(name) == password:
            self.logged_in = await self.say("auth_reply", "235 2.7.0 welcome") == "235"
        else:
            await self.say("auth_reply", "535 5.7.8 wrong name or password")

    async def on_mail(self, line):
        sink = self.sink
        if sink.drops("mail"):
            raise Drop()
        if self.told_off:
            self.told_off = False
            await self.say("", "503 5.5.1 Error: bad sequence of commands")
            return
        if sink.get("require_auth") and not self.logged_in:
            await self.say("mail", "530 5.7.0 log in first")
            return
        if self.sender is not None:
            await self.say("", "503 5.5.1 nested MAIL")
            return
        if self.messages >= sink.get("messages_per_connection", 1 << 60):
            await self.say("", "421 4.7.0 max messages per connection reached")
        match = re.match(r"MAIL FROM:<([^>]*)>", line, re.I)
        if not match:
            await self.say("mail", "501 5.5.4 syntax")
        elif (await self.say("mail", "250 2.1.0 ok"))[0] == "2":
            self.sender, self.recipients = match.group(1), []

    async def on_rcpt(self, line):
        sink = self.sink
        if sink.drops("rcpt"):
            raise Drop()
        match = re.match(r"RCPT TO:<([^>]+)>", line, re.I)
        if match:
            sink.counts["to"][match.group(1)] = sink.counts["to"].get(match.group(1), 0) + 1
        if self.sender is None or not match:
            await self.say("", "503 5.5.1 need MAIL" if match else "501 5.1.3 syntax")
            return
        reply = self.refusal(match.group(1), "rcpt")
        if sink.get("greylist") and not reply and match.group(1) not in sink.greylisted:
            sink.greylisted.add(match.group(1))
            reply = sink.get("greylist")
        if sink.get("refuse_every") and not reply:
            sink.reached["rcpt"] = sink.reached.get("rcpt", 0) + 1
            if sink.reached["rcpt"] % sink.get("refuse_every") == 0:
                reply = sink.get("refuse_reply", "550 5.1.1 no such user")
        if (await self.say("rcpt" if not reply else "", reply or "250 2.1.5 ok"))[0] == "2":
            self.recipients.append(match.group(1))

    def refusal(self, to, place):
        for rule in self.sink.get("refuse", []):
            if rule.get("at", "rcpt") == place and fnmatch.fnmatch(to, rule["to"]):
                return rule["reply"]
        return None

    async def on_data(self, line):
        sink = self.sink
        if sink.drops("data"):
            raise Drop()
        if not self.recipients and not sink.get("data_always"):
            await self.say("", "503 5.5.1 need RCPT" if self.sender is None else "554 5.5.1 no valid recipients")
            return
        reply = self.refusal(self.recipients[0], "data") if self.recipients else None
        if await self.say("data" if not reply else "", reply or "354 go on") != "354":
            return
        await self.flush()
        size, in_headers, self.message_id, lines = 0, True, None, []
        if sink.get("hang") == "body":
            sink.remember(self, "unanswered", 0)
            await self.hang("body")
        while True:
            text = await self.line()
            if sink.drops("body"):
                raise Drop()
            if text in (b".\r\n", b".\n"):
                break
            if not text.endswith(b"\r\n"):
                self.message_id = "bare line feed"
            if text.startswith(b"."):
                text = text[1:]
            size += len(text)
            if sink.get("keep"):
                lines.append(text)
            if in_headers and text.lower().startswith(b"message-id:"):
                self.message_id = text[11:].strip().decode("ascii", "replace").strip("<>")
            in_headers = in_headers and text != b"\r\n"
        self.raw = b"".join(lines)
        await asyncio.sleep(0.005 if sink.get("behind") else 0)
        if not self.reader._buffer or not await self.behind(size):
            await self.dot(size)
        self.sender, self.recipients = None, []

    async def behind(self, size):
        """An envelope is there although the message is not answered. True: that was the answer."""
        sink, what = self.sink, self.sink.get("behind")
        sink.counts["behind"] += 1
        if what in ("drop", "drop_stored"):
            sink.remember(self, "taken" if what == "drop_stored" else "dropped", 0, size)
            raise Drop()
        if what == "refuse_body":
            sink.remember(self, "refused", 554, size)
            await self.say("", "554 5.5.0 Error: improper command pipelining")
            return True
        if what == "lose":
            self.reader._buffer.clear()
        self.told_off = what == "refuse_mail"
        return False

    async def dot(self, size):
        sink = self.sink
        self.messages += 1
        if not self.recipients:
            await self.say("", "554 5.5.1 no valid recipients")
            return
        if sink.drops("dot_unstored"):
            sink.remember(self, "dropped", 0, size)
            raise Drop()
        reply = self.refusal(self.recipients[0], "dot") or (sink.get("dot") if isinstance(sink.get("dot"), str) else None)
        if reply and reply[0] != "2":
            sink.remember(self, "refused", int(reply[:3]), size)
            if sink.get("answers"):
                sink.remember(self, "answered", int(reply[:3]))
            await self.say("", reply)
            return
        delay = sink.get("delay", 0)
        delay = delay.get("dot", 0) if isinstance(delay, dict) else 0
        sink.remember(self, "taken", 250, size)
        if sink.drops("dot_stored"):
            raise Drop()
        if sink.get("hang") == "dot" or delay or not reply:
            code = await self.say("dot", reply or "250 2.0.0 taken")
        else:
            code = await self.say("", reply)
        if sink.get("answers"):
            await self.flush()
            sink.remember(self, "answered", int(code))
        if sink.drops("dot_answered"):
            await self.flush()
            raise Drop()

    async def on_rset(self, line):
        self.sender, self.recipients = None, []
        await self.say("rset", "250 2.0.0 ok")

    async def on_noop(self, line):
        await self.say("noop", "250 2.0.0 ok")

    async def on_quit(self, line):
        await self.say("", "221 2.0.0 bye")
        await self.flush()
        return False


async def serve(sink, port=0):
    async def session(reader, writer):
        sink.counts["connections"] += 1
        sink.open += 1
        sink.writers.add(writer)
        try:
            await Session(sink, reader, writer, sink.smtps).run()
        except (Drop, ConnectionError, ssl.SSLError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            sink.open -= 1
            sink.writers.discard(writer)
            if sink.get("reset"):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            writer.close()

    sink.server = await asyncio.start_server(session, "127.0.0.1", port, limit=1 << 20, backlog=1024, start_serving=False,
                                             ssl=sink.tls if sink.smtps else None)
    if not sink.get("closed"):
        await sink.server.start_serving()
    return sink.server.sockets[0].getsockname()[1]


async def obey(sink, order):
    if order.get("op") == "counts":
        return sink.counts
    if order.get("op") == "close":
        for writer in list(sink.writers):
            writer.transport.abort()
    else:
        sink.behaviour, sink.reached = order, {}
        await sink.server.start_serving()
    return {}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


async def main():
    parser = argparse.ArgumentParser()
    for name in ("--behaviour", "--log", "--cert", "--key", "--many"):
        parser.add_argument(name)
    parser.add_argument("--smtps", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    arguments = parser.parse_args()
    log = open(arguments.log, "a", encoding="utf-8") if arguments.log else None
    sinks = {None: Sink(None, load(arguments.behaviour) if arguments.behaviour else {}, log, arguments.cert, arguments.key,
                        arguments.smtps)}
    many = {name: Sink(name, one, log, one.get("cert"), one.get("key"), one.get("smtps"))
            for name, one in (load(arguments.many) if arguments.many else {}).items()}
    sinks.update(many)

    async def control(reader, writer):
        while line := await reader.readline():
            order = json.loads(line)
            answer = await obey(sinks[order.pop("of", None)], order)
            writer.write((json.dumps(answer) + "\n").encode())
            await writer.drain()
        writer.close()

    ports = {name: await serve(sink) for name, sink in many.items()}
    port = await serve(sinks[None], arguments.port)
    steering = await asyncio.start_server(control, "127.0.0.1", arguments.control)
    if many:
        print("many", json.dumps(ports), flush=True)
    print("listening", port, flush=True)
    print("control", steering.sockets[0].getsockname()[1], flush=True)
    async with steering:
        await steering.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
