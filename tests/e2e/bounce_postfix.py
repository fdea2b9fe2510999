#!/usr/bin/env python3
"""A real Postfix pipes what came back into `onsale bounce`, set up as README says. Told where there is one and we are root."""
import os
import pwd
import shutil
import smtplib
import subprocess
import time

from bounce import House, senders, suppressed
from launch import BUILD, check, free_port, spawn, tell

GROUP = "mail"  # the daemon's group here: pipe(8) takes neither root nor its group
MASTER = """
%(port)d inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
onsale-bounce unix - n n - 4 pipe flags=DORhu user=nobody:%(group)s argv=%(onsale)s bounce --config %(config)s --recipient ${recipient}
"""
MAIN = """
compatibility_level = 3.6
myhostname = mx.arena.example
mydestination = arena.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
alias_maps =
smtpd_peername_lookup = no
smtpd_timeout = 20s
queue_directory = %(queue)s
data_directory = %(data)s
maillog_file = %(log)s
maillog_file_prefixes = /
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME ONSALE_PLUGINS ONSALE_TEMPLATES
export_environment = MAIL_CONFIG TZ LANG ONSALE_PLUGINS ONSALE_TEMPLATES
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
recipient_delimiter = +
onsale-bounce_destination_recipient_limit = 1
transport_maps = texthash:%(transport)s
"""
# names nobody: whom it is about is in the envelope alone
MESSAGE = "From: MAILER-DAEMON@x.example\r\nTo: bounces\r\nSubject: failure notice\r\n\r\n550 5.1.1 no such user\r\n"


class Grouped(House):
    """Its daemon runs in a group of its own, so that others may be members."""

    def start(self):
        os.chmod(self.folder, 0o755)
        self.write_config()
        with open(self.path("onsale.log"), "a", encoding="utf-8") as log:
            self.daemon = spawn([os.path.join(BUILD, "onsale"), "run"], stderr=log, stdout=log, env=self.environment, group=GROUP)
        self.until(lambda: "event=started" in self.log_since(self.daemon_log_start), "the daemon to start", 20)


class Postfix:
    def __init__(self, launch):
        self.launch, self.port, self.folder = launch, free_port(), launch.path("postfix")
        for name in ("queue", "data"):
            os.makedirs(os.path.join(self.folder, name))
        os.chown(os.path.join(self.folder, "data"), pwd.getpwnam("postfix").pw_uid, -1)
        place = {name: os.path.join(self.folder, name) for name in ("queue", "data", "log", "transport")}
        for name, text in (("transport", "bounces@arena.example onsale-bounce:\n"), ("main.cf", MAIN % place),
                           ("master.cf", MASTER % {"port": self.port, "group": GROUP, "onsale": os.path.join(BUILD, "onsale"),
                                                   "config": launch.path("onsale.yaml")})):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text.lstrip("\n"))

    def say(self, *words):
        return subprocess.run([*words], env=self.launch.environment, capture_output=True, text=True, timeout=30)

    def __enter__(self):
        done = self.say("postfix", "-c", self.folder, "start")
        check(done.returncode == 0, "postfix: %s %s", done.stderr, self.log())
        return self

    def __exit__(self, *_):
        self.say("postfix", "-c", self.folder, "stop")

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    def queue(self):
        return self.say("postqueue", "-c", self.folder, "-p").stdout

    def deliver(self, recipient, text=MESSAGE):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as line:
            line.sendmail("", [recipient], text)

    def until_in_log(self, words):
        """Also while there is no daemon."""
        give_up_at = time.monotonic() + 20
        while words not in self.log():
            check(time.monotonic() < give_up_at, "waited for Postfix to say %s", words)
            time.sleep(0.1)


def piped():
    with Grouped() as launch:
        launch.run()
        launch.wait("done")
        (first, sender), (second, other) = sorted(senders(launch).items())[:2]
        with Postfix(launch) as postfix:
            try:
                postfix.deliver(sender)
                launch.until(lambda: suppressed(launch) == {first: "bounce"}, "the bounce", 20)
                postfix.deliver("bounces@arena.example")  # about nobody: taken as well
                launch.until(lambda: postfix.log().count("status=sent") == 2, "both to be taken", 20)
                launch.stop()
                postfix.deliver(other.upper())
                postfix.until_in_log("status=deferred")
                launch.start()
                launch.until(lambda: suppressed(launch) == {first: "bounce", second: "bounce"}, "the second try", 30)
                launch.until(lambda: "queue is empty" in postfix.queue(), "the queue to be empty", 20)
                check("status=bounced" not in postfix.log(), "it bounced a bounce")
            except Exception as error:
                error.args = ("%s\nPostfix says:\n%s" % (error, postfix.log()[-3000:]),)
                raise


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("postfix") or not shutil.which("postqueue"):
        print("1..0 # SKIP no Postfix, or not root")
    else:
        tell([piped])
