#!/usr/bin/python3
"""conf/prometheus and conf/grafana: promtool takes the alerts and every one of them fires when it should, and whatever either
names is a metric that the program has, with labels that it has."""
import json
import os
import re
import subprocess
import sys

SOURCE = os.environ.get("ONSALE_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("ONSALE_BUILD") or os.path.join(SOURCE, "build")
RULES = os.path.join(SOURCE, "conf/prometheus/onsale.rules.yaml")
CASES = os.path.join(SOURCE, "tests/prometheus/rules.test.yaml")
OTHERS = {"up": set(), "ALERTS": {"alertname", "alertstate"}}  # Prometheus's own
SCRAPED = {"job", "instance"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def table():
    """{name: labels} of what /metrics may have, from the program itself."""
    names = {}
    text = run(os.path.join(BUILD, "tests", "metrics-text"))
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    for name, labels in re.findall(r"^([a-z_]+)(?:\{([^\n]*)\})? \S+$", text, re.M):
        names[name] = set(re.findall(r'(?:^|,)([a-z_]+)="', labels))
    assert set(kinds) <= {re.sub("_(bucket|sum|count)$", "", name) for name in names} | set(names), "a family without a sample"
    return names


def expressions():
    """(where, PromQL) of the rules and the dashboard."""
    for found in re.finditer(r"^      - alert: (\w+)\n        expr: (>-\n(?:          .*\n)+|.*\n)", read(RULES), re.M):
        yield found[1], found[2].removeprefix(">-\n")
    dashboard = json.loads(read(os.path.join(SOURCE, "conf/grafana/onsale.json")))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for note in dashboard["annotations"]["list"]:
        if "expr" in note:
            yield note["name"], note["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])[1]


def promtool_takes_the_rules():
    run("promtool", "check", "rules", RULES)
    run("promtool", "test", "rules", CASES)


def every_alert_is_tested_and_says_what_to_do():
    alerts = re.findall(r"^      - alert: (\w+)$", read(RULES), re.M)
    assert len(alerts) == len(set(alerts)) > 20, alerts
    cases = read(CASES)
    for alert in alerts:
        assert re.search(r'alertname="%s"|alertname: %s\b' % (alert, alert), cases), f"{alert} has no case"
    for body in read(RULES).split("      - alert: ")[1:]:
        for part in ("summary:", "description:", "severity: "):
            assert part in body, f"{body.splitlines()[0]} has no {part}"


def what_is_named_exists():
    names = {**table(), **OTHERS}
    count = 0
    for where, expr in expressions():
        expr = re.sub(r"\[[^\]]*\]", "", expr)
        bare = re.sub(r'"[^"]*"', '""', expr)
        for name in re.findall(r"\b((?:onsale|process)_[a-z_]+|up|ALERTS)\b", bare):
            assert name in names, f"{where}: there is no metric {name}"
            count += 1
        for name, labels in re.findall(r"([a-zA-Z_]+)\{([^}]*)\}", bare):
            for label in re.findall(r"([a-z_]+)\s*(?:=~|!=|!~|=)", labels):
                assert label in names[name] | SCRAPED, f"{where}: {name} has no label {label}"
    assert count > 80, count


def labels_of_alerts_exist():
    known = set.union(*table().values()) | SCRAPED
    for label in re.findall(r"\$labels\.(\w+)", read(RULES)):
        assert label in known, f"no label {label}"


def commands_of_alerts_exist():
    known = set(re.findall(r"^  (\w[\w-]*)", run(os.path.join(BUILD, "onsale"), "help"), re.M))
    for command in re.findall(r'"onsale ([a-z-]+)', read(RULES)):
        assert command in known, f"onsale {command}: there is no such command"


def the_dashboard_is_provisionable():
    dashboard = json.loads(read(os.path.join(SOURCE, "conf/grafana/onsale.json")))
    assert "__inputs" not in dashboard and dashboard.get("id") is None and dashboard["uid"], "made for provisioning"
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(identities) == len(set(identities)), "panels share an id"
    places = set()
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24, f"{panel['title']} is out of the page"
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        assert not cells & places, f"{panel['title']} lies upon another"
        places |= cells
        for part in [panel, *panel.get("targets", [])]:
            assert panel["type"] == "row" or part["datasource"]["uid"] == "${datasource}", f"{panel['title']}: whose data?"


def main():
    tests = [promtool_takes_the_rules, every_alert_is_tested_and_says_what_to_do, what_is_named_exists, labels_of_alerts_exist,
             commands_of_alerts_exist, the_dashboard_is_provisionable]
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except (AssertionError, OSError) as error:
            failed = 1
            print(f"not ok {number} - {test.__name__}")
            print("\n".join(f"# {line}" for line in str(error).splitlines()))
    return failed


sys.exit(main())
