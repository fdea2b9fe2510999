#!/usr/bin/python3
"""Somebody sets the machine's clock while a notice is in any of its states: ahead and back, by seconds, hours and days, put right
again or left as it is. Each is a story for the replay driver: nobody is told early (by our clock and by the shop's), nobody
twice, and nobody is lost.

clock_steps.py REPLAY [NAME]: NAME is part of what the story is called; it is told with all that was said."""

import os
import subprocess
import sys
import tempfile

DUE_S = 9 * 3600
STEPS = {'3s': 3, '1m': 60, '4m': 240, '2h': 7200, '3d': 259200}
CROWD = 6

# What happens before the clock is set; when that is; what has to be done when it is right again. The crowd is told slowly, and
# the shop's answers have a Date.
STATES = {
    'planned': ([], '08:30:00', []),
    'gathering': (['until 08:45:00', 'lose fans'], '08:51:00', ['crowd %d' % CROWD]),
    'ready': ([], '08:55:00', []),
    'right before': ([], '08:59:58', []),
    'sending': (['post slow 5s', 'post window 1'], '09:00:10', []),
    'held': (['until 08:58:00', 'hold on-sale'], '09:01:00', ['release on-sale']),
    'put off': (['post later * 451 1'], '09:00:05', []),
    'paused': (['until 08:59:00', 'pause'], '09:01:00', ['resume']),
    'done': ([], '09:05:00', []),
}


def clock(seconds):
    """Of the story's first days."""
    days, rest = divmod(seconds, 86400)
    return '2027-03-%02dT%02d:%02d:%02dZ' % (26 + days, rest // 3600, rest % 3600 // 60, rest % 60)


def begin(state):
    before, at, _ = STATES[state]
    return ['now 2027-03-26T08:00:00Z', 'dated', 'rule on-sale, retry: {attempts: 8, first: 3m, cap: 10m}',
            'site poll_every: 30s', f'crowd {CROWD}', 'define hall start=09:00:00', 'never before 09:00:00', 'start',
            *before, f'until {at}']


def never_early(state, seconds):
    """While ours is ahead the shop's clock counts: its Date has whole seconds."""
    told = state in ('sending', 'put off', 'done')
    return [f'never before {clock(DUE_S + seconds - 1)}'] if seconds > 0 and not told else []


def put_right(state, step, forward):
    """Wrong for a minute and a half."""
    sign, back = ('+', '-') if forward else ('-', '+')
    lines = begin(state) + never_early(state, STEPS[step] if forward else 0)
    lines += [f'step {sign}{step}', 'until +90s', f'step {back}{step}', 'never before 09:00:00', *STATES[state][2], 'until 09:25:00']
    return lines + ['expect on-sale done', f'expect messages {CROWD}']


def left_wrong(state, step, forward):
    """Told when both clocks say so."""
    seconds = STEPS[step] if forward else 0
    lines = begin(state) + never_early(state, seconds)
    lines += [f'step {"+" if forward else "-"}{step}', *STATES[state][2], f'until {clock(DUE_S + seconds + 25 * 60)}']
    return lines + ['expect on-sale done', f'expect messages {CROWD}']


def twice(state, step, forward):
    """And once more while it is wrong, with a restart in between."""
    sign, back = ('+', '-') if forward else ('-', '+')
    lines = begin(state) + never_early(state, STEPS[step] if forward else 0)
    lines += [f'step {sign}{step}', 'until +20s', 'crash', 'start', 'until +20s', f'step {back}{step}', 'never before 09:00:00',
              *STATES[state][2], 'until 09:25:00']
    return lines + ['expect on-sale done', 'expect count on-sale waiting 0']


def stories():
    for state in STATES:
        for step in STEPS:
            for forward in (True, False):
                name = f'{state}, {"+" if forward else "-"}{step}'
                yield f'{name}, put right', put_right(state, step, forward)
                yield f'{name}, put right after a crash', twice(state, step, forward)
                if step in ('3s', '1m', '4m'):
                    yield f'{name}, left wrong', left_wrong(state, step, forward)


def main():
    replay, only = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ''
    told = [(name, lines) for name, lines in stories() if only in name]
    failed = False
    print(f'1..{len(told)}')
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'clock.story')
        for number, (name, lines) in enumerate(told, 1):
            with open(path, 'w', encoding='utf-8') as file:
                file.write('\n'.join(lines) + '\n')
            ran = subprocess.run([replay, path], capture_output=True, text=True, timeout=120, check=False)
            print(f'{"not ok" if ran.returncode else "ok"} {number} - {name}')
            if ran.returncode:
                failed = True
                print(''.join(f'# {line}\n' for line in lines + (ran.stdout + ran.stderr).splitlines()[:25]), end='')
    return failed


if __name__ == '__main__':
    sys.exit(main())
