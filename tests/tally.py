#!/usr/bin/python3
"""Counts what ran. `tally.py LOG ...` reads meson's testlog.json, prints every failure in full, and ends with
"N passed, N failed"; exit 1 when anything failed or nothing ran. Of a test that ran again only the last time counts; what it said
before is shown all the same. `tally.py --late LOG` names the stories that may be told again. `tally.py --run FOLDER` runs every
program of a folder, says so line by line on stderr, and writes the same kind of log to stdout.

A program that speaks TAP counts by its subtests, any other as one. Subtests that were promised but never reported, because
the program ended before, have failed."""

import json
import os
import re
import subprocess
import sys
import time

GOOD = {'OK', 'EXPECTEDFAIL'}
MANY = 3  # more failures than that are not a machine's fault
POINT = re.compile(r'^(not )?ok\b[^#\n]*(#\s*(skip|todo))?', re.I | re.M)


def count(test):
    """(passed, failed, skipped) of one program."""
    output, result = test.get('stdout') or '', test['result']
    if result == 'SKIP':
        return 0, 0, 1
    plan = re.search(r'^1\.\.(\d+)', output, re.M)
    points = list(POINT.finditer(output)) if plan else []
    excused = sum(1 for point in points if point[3])
    failed = sum(1 for point in points if point[1] and not point[3])
    passed = len(points) - failed - excused
    if plan:
        failed += max(0, int(plan[1]) - len(points))
    if result in GOOD:
        return passed if plan else 1, failed, excused
    return passed, max(failed, 1), excused


def run(folder):
    """The log of every program in a folder, one after another."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or not os.access(path, os.X_OK):
            continue
        began = time.monotonic()
        done = subprocess.run([path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        took = time.monotonic() - began
        result = {0: 'OK', 77: 'SKIP'}.get(done.returncode, 'FAIL')
        print(f'long / {name:30} {result:8} {took:8.2f}s', file=sys.stderr, flush=True)
        print(json.dumps({'name': f'long / {name}', 'result': result, 'duration': took,
                          'stdout': done.stdout.decode(errors='replace'), 'stderr': done.stderr.decode(errors='replace')}))


def read(log):
    with open(log, encoding='utf-8') as lines:
        return [json.loads(line) for line in lines]


def late(log):
    """Stories that failed, if they are few."""
    failed = [test['name'] for test in read(log) if count(test)[1]]
    stories = [name for name in failed if name.partition(' / ')[0].endswith(':e2e')]
    if len(failed) <= MANY:
        print(*(name.partition(' / ')[2] for name in stories))


def show(test, how):
    print(f'\n-- {test["name"]}: {how} after {test["duration"]:.1f} s')
    print((test.get('stdout') or '').rstrip())
    print((test.get('stderr') or '').rstrip())


def tally(logs):
    passed = failed = skipped = 0
    tests = [test for log in logs for test in read(log)]
    last = {test['name']: test for test in tests}
    for test in tests:
        good, bad, excused = count(test)
        if last[test['name']] is not test:
            if bad:
                show(test, 'told again by itself, since it was ' + test['result'])
            continue
        passed, failed, skipped = passed + good, failed + bad, skipped + excused
        if bad:
            show(test, test['result'])
    if passed + failed == 0:
        print('\nno test ran')
        failed = 1
    if skipped:
        print(f'\n{skipped} skipped')
    print(f'\n{passed} passed, {failed} failed')
    return 1 if failed else 0


def main():
    if sys.argv[1:2] == ['--run']:
        return run(sys.argv[2])
    if sys.argv[1:2] == ['--late']:
        return late(sys.argv[2])
    return tally(sys.argv[1:])


sys.exit(main())
