#!/usr/bin/python3
"""Where people and programs come in, with the real binary: unix socket and TCP at once, sockets that systemd hands over, and the
reverse proxies of README."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

from launch import BUILD, SOURCE, Launch, check, end, free_port, spawn, tell


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("onsale", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def ask(connection, path, method="GET", headers=None):
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    return answer, answer.read()


def by_tcp(port, path, host="127.0.0.1", **more):
    connection = http.client.HTTPConnection(host, port, timeout=10)
    answer = ask(connection, path, **more)
    connection.close()
    return answer


def unix_and_tcp():
    """The API is for who is let in by the unix socket; a stranger over TCP, or behind a proxy, is not."""
    with Launch(opens_in=30) as launch:
        port = free_port()
        launch.config["http"]["listen"] = ["unix:onsale.sock", f"127.0.0.1:{port}", f"[::1]:{port}"]
        launch.run()
        path = launch.path("onsale.sock")
        answer, body = ask(UnixConnection(path), "/api/v1/notices")
        check(answer.status == 200, "by the unix socket: %s %s", answer.status, body)
        for host in "127.0.0.1", "::1":
            answer, body = by_tcp(port, "/api/v1/notices", host=host)
            check(answer.status in (401, 403), "over TCP: %s %s", answer.status, body)
            check(answer.headers["Content-Type"] == "application/problem+json" and json.loads(body)["status"] == answer.status,
                  "%s", answer.headers)
        answer, body = ask(UnixConnection(path), "/api/v1/notices", headers={"X-Forwarded-For": "192.0.2.1"})
        check(answer.status in (401, 403), "through a proxy at the unix socket: %s", answer.status)
        answer, body = by_tcp(port, "/nothing/here")
        check(answer.status == 404 and b"nothing/here" not in body, "%s %s", answer.status, body)
        check(not answer.headers["Server"], "it tells who it is: %s", answer.headers["Server"])
        launch.onsale("notices")
        launch.stop()
        check(not os.path.exists(path), "the socket file is left")


def limited():
    with Launch(opens_in=30) as launch:
        port = free_port()
        launch.config["http"].update(listen=["unix:onsale.sock", f"127.0.0.1:{port}"], rate="2/s", proxies=["127.0.0.1"])
        launch.run()
        def statuses(count, **headers):
            return [by_tcp(port, "/nothing", headers=headers)[0].status for _ in range(count)]
        got = statuses(14)
        check(got[0] == 404 and got[-1] == 429, "%s", got)
        got = statuses(3, **{"X-Forwarded-For": "192.0.2.1"})
        check(got == [404] * 3, "another visitor of the proxy: %s", got)
        for _ in range(20):
            answer, _ = ask(UnixConnection(launch.path("onsale.sock")), "/api/v1/notices")
            check(answer.status == 200, "a command is limited")


def reloaded_with_other_doors():
    """What only a restart brings is named with what holds and what the file says: in the log and in status, until it is so no more."""
    with Launch(opens_in=60) as launch:
        port, other = free_port(), free_port()
        launch.config["http"]["listen"] = ["unix:onsale.sock", f"127.0.0.1:{port}"]
        launch.run()
        launch.until(lambda: "is well" in launch.try_onsale("status").stdout, "the daemon to be well")
        launch.reload()
        check("restart_wanted" not in launch.log_since(), "nothing changed")
        launch.config["http"].update(listen=["unix:onsale.sock", f"127.0.0.1:{other}"], rate="90/s")
        launch.config["disk_reserve"] = "2MB"
        for _ in range(2):  # the second changes nothing more, and it still waits
            start = len(launch.log_since())
            launch.reload()
            line = [line for line in launch.log_since(start).splitlines() if "event=restart_wanted" in line]
            check(len(line) == 1 and "disk_reserve is 64MB and not 2MB; http.listen is unix:" in line[0], "%s", line)
            check(f"127.0.0.1:{port} and not " in line[0] and f"127.0.0.1:{other}; http.rate is 50 in 1s and not 90 in 1s" in line[0],
                  "%s", line)
            status = launch.try_onsale("status").stdout
            check("[warn] daemon: until a restart disk_reserve is " in status and "systemctl restart onsale" in status, "%s", status)
        launch.config["http"].update(listen=["unix:onsale.sock", f"127.0.0.1:{port}"], rate="50/s")
        del launch.config["disk_reserve"]
        start = len(launch.log_since())
        launch.reload()
        check("restart_wanted" not in launch.log_since(start), "nothing waits any more: %s", launch.log_since(start))
        check("until a restart" not in launch.try_onsale("status").stdout, "status goes on")


def warned_of():
    """`onsale check` says what a person would rather know before."""
    with Launch() as launch:
        for listen, public, word in ((["unix:a.sock", "127.0.0.1:8470", "[::1]:8470", "localhost:8471"], "https://x.example", None),
                                     (["unix:a.sock", "0.0.0.0:8470"], "", "0.0.0.0:8470 speaks plain HTTP"),
                                     (["unix:a.sock", "[2001:db8::1]:80"], "", "[2001:db8::1]:80 speaks plain HTTP"),
                                     (["unix:a.sock"], "https://x.example", "unix sockets only"),
                                     (["systemd"], "https://x.example", None)):
            launch.config["http"].update(listen=listen, public_url=public)
            launch.write_config()
            said = launch.onsale("check")
            said = said if isinstance(said, str) else said.stdout
            warnings = [line for line in said.splitlines() if "warning" in line and "http" in line.lower()]
            check(bool(warnings) == bool(word) and (not word or word in warnings[0]), "%s: %s", listen, warnings)


def activated(launch, sockets):
    """The daemon, started by the first connection to one of `sockets`, as systemd does it."""
    command = ["systemd-socket-activate"]
    for at in sockets:
        command += ["-l", at]
    for name in "ONSALE_CONFIG", "ONSALE_PLUGINS", "ONSALE_TEMPLATES", "CACHE_DIRECTORY", "HOME", "PATH":
        if name in launch.environment:
            command += ["-E", f"{name}={launch.environment[name]}"]
    with open(launch.path("onsale.log"), "a", encoding="utf-8") as log:
        return spawn(command + [os.path.join(BUILD, "onsale"), "run"], env=launch.environment, stderr=log, stdout=log)


def handed_over():
    """The first connection starts the daemon, and its request is answered; the sockets outlive the daemon."""
    with Launch(opens_in=60) as launch:
        port = free_port()
        path = launch.path("handed.sock")
        launch.config["http"]["listen"] = ["systemd", "unix:onsale.sock"]
        launch.write_config()
        daemon = launch.daemon = activated(launch, [path, f"127.0.0.1:{port}"])
        try:
            launch.until(lambda: os.path.exists(path), "the socket")
            time.sleep(0.2)
            answer, body = by_tcp(port, "/api/v1/notices")
            check(answer.status in (401, 403), "over TCP: %s %s", answer.status, body)
            answer, body = ask(UnixConnection(path), "/api/v1/notices")
            check(answer.status == 200, "by the unix socket handed over: %s %s", answer.status, body)
            answer, body = ask(UnixConnection(launch.path("onsale.sock")), "/api/v1/notices")
            check(answer.status == 200, "by our own socket: %s %s", answer.status, body)
        finally:
            code = end(daemon, signal.SIGTERM, 30)
        check(code == 0, "it ended with %s", code)
        check(os.path.exists(path), "it took away a socket that is not its own")


def run_with(launch, descriptor):
    """The daemon with `descriptor` where what is handed over stands."""
    script = 'if [ "$1" != 3 ]; then eval "exec 3<&$1 $1<&-"; fi; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$2" run'
    with open(launch.path("onsale.log"), "a", encoding="utf-8") as log:
        return spawn(["bash", "-c", script, "_", str(descriptor), os.path.join(BUILD, "onsale")], env=launch.environment,
                     pass_fds=[descriptor], stderr=log, stdout=log)


def kept_by_the_manager():
    """Stopping the daemon must not shut down a socket that it shares: who connects then waits for the next daemon."""
    with Launch(opens_in=60) as launch, socket.create_server(("127.0.0.1", 0), backlog=8) as listening:
        port = listening.getsockname()[1]
        launch.config["http"]["listen"] = ["systemd"]
        launch.write_config()
        for _ in range(2):
            waiting = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            waiting.request("GET", "/nothing")  # nobody answers yet
            daemon = run_with(launch, listening.fileno())
            check(waiting.getresponse().status == 404, "no answer")
            code = end(daemon, signal.SIGTERM, 30)
            check(code == 0, "it ended with %s", code)


def no_sockets():
    """What is no listening stream socket is refused by name, as is a word for sockets that nobody handed over."""
    with Launch(opens_in=60) as launch:
        launch.config["http"]["listen"] = ["systemd"]
        launch.write_config()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with open(launch.path("file"), "w", encoding="ascii") as file:
            for one in (datagrams, silent, file):
                daemon = run_with(launch, one.fileno())
                check(daemon.wait(20) == 3, "it ended with %s", daemon.returncode)
                end(daemon)
                check("no listening stream socket" in launch.log_since(), "it says: %s", launch.log_since()[-300:])
        other = dict(launch.environment, LISTEN_PID="1", LISTEN_FDS="1")
        done = subprocess.run([os.path.join(BUILD, "onsale"), "run"], env=other, timeout=20, stderr=subprocess.PIPE, text=True,
                              check=False)
        check(done.returncode == 3 and "no socket was handed over" in done.stderr, "%s: %s", done.returncode, done.stderr)


# --- Behind a proxy: the configurations that README shows, with other ports and a certificate of our own

def written_in_readme(language):
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        return re.search(r"```%s\n(.*?)```" % language, file.read(), re.S).group(1)


def replaced(text, *pairs):
    for old, new in pairs:
        check(old in text, "README does not say %s", old)
        text = text.replace(old, new)
    return text


EVENTS = "/api/v1/events"


def events_come_through(launch, connection):
    """One after the other, as they happen: no proxy waits until it has many."""
    answer = ask_only(connection, EVENTS, {"Authorization": "Bearer " + "r" * 40})
    check(answer.status == 200 and answer.headers["Content-Type"].startswith("text/event-stream"), "events: %s", answer.status)
    for word in "pause", "resume":
        launch.onsale(word)
        connection.sock.settimeout(5)
        line = b""
        while not line.startswith(b"data:"):
            line = answer.readline()
            check(line, "the events ended")


def ask_only(connection, path, headers):
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def behind(launch, make_command):
    """What people need comes through, with their address, and events do; the rest of the API does not."""
    inner, outer = free_port(), free_port()
    launch.make_certificate()
    launch.config["http"].update(listen=["unix:onsale.sock", f"127.0.0.1:{inner}"], rate="1/min",
                                 tokens=[{"name": "watch", "token": "r" * 40}])
    launch.run()
    with open(launch.path("proxy.log"), "w", encoding="utf-8") as log:
        proxy = spawn(make_command(inner, outer), stdout=log, stderr=log, env=dict(os.environ, HOME=launch.folder))
    context = ssl.create_default_context(cafile=launch.path("cert.pem"))

    def get(path, **headers):
        connection = http.client.HTTPSConnection("localhost", outer, timeout=10, context=context)
        try:
            return ask(connection, path, headers=headers)[0]
        except OSError:
            check(proxy.poll() is None, "%s", open(launch.path("proxy.log"), encoding="utf-8").read())
            return None
        finally:
            connection.close()

    try:
        launch.until(lambda: get("/"), "the proxy")
        check(get(EVENTS).status == 401, "events without a token")
        events_come_through(launch, http.client.HTTPSConnection("localhost", outer, timeout=10, context=context))
        for path in "/", "/api/v1/notices", "/healthz", "/u/../api/v1/notices", "/u/%2e%2e/api/v1/notices":
            answer = get(path)
            check(answer.status in (400, 404) and not answer.headers["X-Frame-Options"], "%s comes through: %s", path, answer.status)
        got = [get(path, **{"X-Forwarded-For": f"192.0.2.{number}"})
               for number, path in enumerate(["/u/x", "/hooks/x"] * 8)]
        check(all(answer.headers["X-Frame-Options"] == "DENY" for answer in got), "not from us: %s", got[0].headers)
        statuses = [answer.status for answer in got]
        check(429 not in statuses[:8] and statuses[-3:] == [429] * 3, "it believes what the client says of itself: %s", statuses)
        answer, _ = by_tcp(inner, "/u/x", headers={"X-Forwarded-For": "192.0.2.1"})
        check(answer.status != 429, "another client has to wait as well")
    finally:
        end(proxy, signal.SIGTERM)


def nginx_in_front():
    with Launch(opens_in=60) as launch:
        def command(inner, outer):
            site = replaced(written_in_readme("nginx"), ("listen 443 ssl", f"listen 127.0.0.1:{outer} ssl"),
                            ("location /       ", f"location = {EVENTS} {{ proxy_pass http://127.0.0.1:8470; proxy_buffering off; "
                             "proxy_read_timeout 1h; }\n    location /       "),
                            ("127.0.0.1:8470", f"127.0.0.1:{inner}"), ("onsale.example.org;", "localhost;"),
                            ("/etc/letsencrypt/live/onsale.example.org/fullchain.pem", launch.path("cert.pem")),
                            ("/etc/letsencrypt/live/onsale.example.org/privkey.pem", launch.path("key.pem")))
            folders = "".join(f"{name}_temp_path {launch.path('temp')};" for name in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            launch.write("nginx.conf", f"daemon off; master_process off; pid {launch.path('pid')}; error_log stderr;\n"
                         f"events {{}}\nhttp {{ access_log off; {folders}\n{site}}}\n")
            return ["/usr/sbin/nginx", "-e", "stderr", "-c", launch.path("nginx.conf")]
        behind(launch, command)


def caddy_in_front():
    with Launch(opens_in=60) as launch:
        def command(inner, outer):
            site = replaced(written_in_readme("caddy"), ("/hooks/*", f"/hooks/* {EVENTS}"), ("127.0.0.1:8470", f"127.0.0.1:{inner}"),
                            ("onsale.example.org {", f"https://localhost:{outer} {{\n"
                             f"    tls {launch.path('cert.pem')} {launch.path('key.pem')}"))
            launch.write("Caddyfile", "{\n    admin off\n    auto_https disable_redirects\n}\n" + site)
            return ["caddy", "run", "--config", launch.path("Caddyfile"), "--adapter", "caddyfile"]
        behind(launch, command)


STORIES = [unix_and_tcp, limited, warned_of, reloaded_with_other_doors, kept_by_the_manager, no_sockets]
if shutil.which("systemd-socket-activate"):
    STORIES.append(handed_over)
if os.path.exists("/usr/sbin/nginx"):
    STORIES.append(nginx_in_front)
if shutil.which("caddy"):
    STORIES.append(caddy_in_front)

if __name__ == "__main__":
    tell(STORIES)
