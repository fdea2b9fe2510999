#!/usr/bin/env python3
"""What a burst of Wix's webhooks costs: tests/bench/hooks.py [SECONDS [TOKENS]]. TOKENS signed webhooks, each with an id of its own, are
posted by wrk again and again over 20 connections; the shop counts what it is asked meanwhile."""
import concurrent.futures
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from hooks_wix import DEFINITION, House  # noqa: E402

SCRIPT = """
local tokens, n = {}, 0
for line in io.lines("%s") do tokens[#tokens + 1] = line end
wrk.method = "POST"
request = function() n = n %% #tokens + 1; return wrk.format(nil, nil, nil, tokens[n]) end
"""


def status(launch):
    """Resident KiB and CPU seconds of the daemon."""
    with open("/proc/%d/status" % launch.daemon.pid, encoding="ascii") as file:
        kib = int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
    with open("/proc/%d/stat" % launch.daemon.pid, encoding="ascii") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return kib, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    seconds, count = int(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with House(tells=False) as launch:
        launch.run()
        ids = [one["id"] for one in launch.wix.get("/_world")["ticketDefinitions"]]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            tokens = list(pool.map(
                lambda i: launch.token(launch.about(ids[i % len(ids)], sequence=i + 1), DEFINITION + "updated"), range(count)))
        launch.write("tokens", "\n".join(tokens) + "\n")
        launch.write("post.lua", SCRIPT % launch.path("tokens"))
        (before_kib, before_s), reads = status(launch), launch.log_since().count("event=read_again")
        done = subprocess.run(["wrk", "-t1", "-c20", "-d%ds" % seconds, "--latency", "-s", launch.path("post.lua"), launch.url],
                              check=True, capture_output=True, text=True)
        after_kib, after_s = status(launch)
        print(done.stdout)
        print("%d tokens of %d bytes; the daemon: %.2f s of CPU, %+d KiB (of %d); reads of the shop: %d" % (
            count, len(tokens[0]), after_s - before_s, after_kib - before_kib, before_kib,
            launch.log_since().count("event=read_again") - reads))


if __name__ == "__main__":
    main()
