"""The mail server everybody sends into, and who else sends: what our figures stand beside."""

import os
import pathlib
import signal
import statistics
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parent
CONNECTIONS = 100


class Sink:
    """sink.c. `pem`: certificate and key, for STARTTLS; `nasty`: its options --refuse, --defer, --cut."""

    def __init__(self, build, delay_ms=0, think_ms=0, threads=2, log=None, pem=None, nasty=()):
        command = [build / "tests/sink", "--threads", threads, "--delay", delay_ms, "--think", think_ms, *nasty]
        command += ["--log", log] if log else []
        command += ["--tls", pem] if pem else []
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def read(self, line):
        words = line.split()
        said = {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}
        span = (said["last_us"] - said["first_us"]) / 1e6
        return dict(said, size=said["bytes"] / max(said["taken"], 1), first_at=said["first_us"] / 1e6,
                    last_at=said["last_us"] / 1e6, rate=(said["taken"] - 1) / span if span else 0)

    def look(self):
        """Counts so far: messages, bytes a message, messages a second between the first and the last one."""
        self.process.send_signal(signal.SIGUSR1)
        return self.read(self.process.stdout.readline())

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stdout.read()
        self.process.wait()
        return self.read(said)


def run_beside(sink, command):
    """One sender from its start to its end; counts of the sink, and CPU seconds per 100,000 mails."""
    process = subprocess.Popen([str(word).replace("PORT", str(sink.port)) for word in command],
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    counts = sink.close()
    if status:
        sys.exit(f"{command[0]} failed")
    counts["cpu"] = (usage.ru_utime + usage.ru_stime) / max(counts["taken"], 1) * 1e5
    return counts


def smtp_source(build, count, size, delay_ms=0, think_ms=0, connections=CONNECTIONS):
    """Postfix's: one constant message of `size` bytes over connections that are kept."""
    return run_beside(Sink(build, delay_ms, think_ms),
                      ["/usr/sbin/smtp-source", "-d", "-s", connections, "-l", size, "-m", count, "-f", "from@sender.example",
                       "-t", "to@receiver.example", "127.0.0.1:PORT"])


def plain_sender(build, count, size, delay_ms=0, log=None, pem=None, ca=None):
    """sender.c; by TLS where the sink has a certificate."""
    return run_beside(Sink(build, delay_ms, log=log, pem=pem),
                      [build / "tests/sender", "--port", "PORT", "--connections", CONNECTIONS, "--messages", count,
                       "--size", size] + (["--tls", ca] if ca else []))


def nodemailer(build, count, size):
    return run_beside(Sink(build), ["node", BENCH / "nodemailer.mjs", "PORT", CONNECTIONS, count, size])


def make_certificate(folder):
    """For localhost: the certificate alone, and with its key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "ca.pem", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
    (folder / "both.pem").write_text((folder / "ca.pem").read_text() + (folder / "key.pem").read_text())
    return folder / "ca.pem", folder / "both.pem"


# ---- printing ----


def middle(values):
    return statistics.median(values)


def spread(values, form="{:,.0f}"):
    low, high = form.format(min(values)), form.format(max(values))
    return f"{low} .. {high}"


def row(*cells):
    print("  {:<42} {:>10} {:>20}   {}".format(*cells).rstrip())
