#!/usr/bin/python3
"""Random histories: what a shop, a marketing tool, receivers and operators may do in any order. Each seed is a story for the
replay driver. Nothing is expected of its course (many operations are refused) but what always holds: nobody is told twice or
early, the ledger agrees with what was received, no notice waits for ever, and the daemon does not fall.

histories.py REPLAY [FIRST [COUNT]]"""

import os
import random
import re
import subprocess
import sys
import tempfile

ENDED = {'done', 'cancelled', 'withdrawn', 'missed', 'held'}
BROKEN = re.compile(r'audit:|twice|too early|Assertion|Sanitizer|runtime error')
STATE = re.compile(r'^    notice .* edition \d+: (\w+) \(', re.M)


def start(r):
    rule = ', '.join([
        'on-sale',
        f'retry: {{attempts: {r.choice([2, 3, 8])}, first: {r.choice(["1s", "10s", "2m"])}, cap: 5m}}',
        f'if_not_started: {{wait: {r.choice(["10s", "1m"])}, then: {r.choice(["send", "hold", "drop"])}}}',
        f'if_unverified: {{wait: {r.choice(["10s", "2m"])}, then: {r.choice(["send", "hold", "drop"])}}}',
        f'if_told: {r.choice(["hold", "send", "drop"])}',
        f'if_sold_out: {r.choice(["drop", "send"])}'])
    deadline = f', deadline: {r.choice(["5m", "1h"])}' if r.random() < 0.5 else ''
    lines = ['now 2027-03-26T08:40:00Z', f'rule {rule}']
    lines += ['rule second, when: 5m before sale_start'] if r.random() < 0.4 else []
    lines += [f'notifier doubt_max: {r.choice([1, 2, 4, 50])}{deadline}',
              f'site poll_every: {r.choice(["1s", "10s"])}', f'crowd {r.choice([0, 1, 3, 10, 30])}',
              'define hall start=09:00:00']
    lines += ['define stand start=09:00:00'] if r.random() < 0.5 else []
    return lines + [f'post slow {r.choice(["1ms", "1s", "7s"])}', f'post window {r.choice([1, 2, 5])}', 'start']


def step(r):
    notice = r.choice(['on-sale', 'on-sale', 'on-sale@09:00:00', 'second'])
    change = f'change {r.choice(["hall", "stand"])} '
    return r.choice([
        *[lambda: [f'until +{r.choice(["1s", "3s", "10s", "30s", "1m", "3m", "10m", "20m"])}']] * 12,
        *[lambda: [f'{r.choice(["hold", "release", "release-anyway", "cancel", "again"])} {notice}']] * 5,
        lambda: [f'retry {notice} {r.choice(["refused 552", "doubt", "withheld expired", "withheld attempts"])}'],
        lambda: ['pause'], lambda: [f'pause {notice}'], lambda: ['resume'],
        lambda: ['restart'], lambda: ['crash', 'start'], lambda: ['reload'], lambda: ['sync'],
        lambda: ['silent'], lambda: ['answering'],
        lambda: [change + 'hidden=yes'], lambda: [change + 'hidden=no'], lambda: [change + 'start=09:00:00'],
        lambda: [change + f'start={r.choice(["09:05:00", "09:10:00", "09:30:00", "+2m", "+11m"])}'],
        lambda: [change + f'status={r.choice(["CANCELED", "UPCOMING", "ENDED", "STARTED"])}'],
        lambda: [change + f'soldout={r.choice(["yes", "no"])}'],
        lambda: [change + f'sale={r.choice(["SALE_SCHEDULED", "SALE_STARTED", "SALE_ENDED", ""])}'],
        lambda: [change + f'deleted={r.choice(["yes", "no"])}'],
        lambda: ['post ' + r.choice(['kind', 'later *', 'refuse * 552 3', 'refuse *', 'doubt fan2@example.org',
                                     'blame * 554 1', 'later fan1@example.org 451 2', 'slow 5s'])],
        lambda: [f'forget fan{r.randint(1, 30)}@example.org'],
        lambda: [f'person fan{r.randint(1, 40)}@example.org {r.choice(["subscribed", "unsubscribed"])}'],
        lambda: ['lose fans', f'until +{r.choice(["1s", "1m"])}', 'person z@example.org'],
    ])()


def story(seed):
    r = random.Random(seed)
    lines = start(r)
    for _ in range(r.randint(15, 50)):
        lines += step(r)
    # Everybody is kind in the end, and there is time for all of it. The last line is never true: it lists what there is.
    lines += ['answering', 'post kind', 'resume', 'until +10m', 'until +8h', 'audit', 'expect notices 999']
    return '\n'.join(lines) + '\n'


def play(replay, folder, seed):
    path = os.path.join(folder, f'{seed}.story')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(story(seed))
    ran = subprocess.run([replay, path], capture_output=True, text=True, timeout=120, check=False)
    said = ran.stdout + ran.stderr
    problems = [line for line in said.splitlines() if BROKEN.search(line)]
    problems += [f'a notice is {state} for ever' for state in STATE.findall(said) if state not in ENDED]
    if ran.returncode not in (0, 1):
        problems.append(f'the daemon fell: {ran.returncode}')
    return problems


def main():
    replay = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    failed = False
    print(f'1..{count}')
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            problems = play(replay, folder, seed)
            print(f'{"not ok" if problems else "ok"} {seed - first + 1} - seed {seed}')
            for problem in problems:
                print(f'# {problem}')
            failed = failed or bool(problems)
    return failed


if __name__ == '__main__':
    sys.exit(main())
