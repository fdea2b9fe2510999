#!/usr/bin/python3
"""What is written about Onsale is true of it: the manual has every command and every key, README's configuration passes
`onsale check`, its commands, files and tests exist, and the service unit is one. TAP; ONSALE_BUILD is the build."""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

SOURCE = os.environ.get('ONSALE_SOURCE') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
BUILD = os.environ.get('ONSALE_BUILD') or os.path.join(SOURCE, 'build')
ONSALE = os.path.join(BUILD, 'onsale')
ENV = dict(os.environ, ONSALE_PLUGINS=BUILD, ONSALE_TEMPLATES=os.path.join(SOURCE, 'templates'))
PROSE = ['README.md', 'CONTRIBUTING.md', 'scheduler/README.md']


class Skip(Exception):
    pass


def read(path):
    with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
        return file.read()


def output(*command):
    return subprocess.run(command, env=ENV, check=True, capture_output=True, text=True).stdout


def listed_commands():
    return set(re.findall(r'^  ([a-z-]+) {2,}\S', output(ONSALE, 'help'), re.M))


def same(found, expected, what):
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    assert not missing and not extra, f'{what}: missing {missing}, too many {extra}'


def the_manual_has_every_command():
    same(re.findall(r'^\*([a-z-]+)\*', output(ONSALE, '--manual'), re.M), listed_commands(), 'commands')
    page = os.path.join(BUILD, 'conf', 'onsale.1')
    if not os.path.exists(page):
        raise Skip('built without scdoc')
    with open(page, encoding='utf-8') as file:
        section = file.read().split('.SH COMMANDS')[1].split('.SH OPTIONS')[0]
    same(re.findall(r'^\\fB([a-z\\-]+)\\fR', section.replace('\\-', '-'), re.M), listed_commands(), 'onsale(1)')


def the_manual_has_every_key():
    keys = [line.split('\t')[0] for line in output(ONSALE, '--keys', 'smtp', 'outbox', 'null', 'example').splitlines()]
    explained = re.findall(r'^@([a-z0-9_.]+)@$', read('conf/man/onsale.yaml.5.scd'), re.M)
    assert len(explained) == len(set(explained)), 'a key is explained twice'
    same(explained, keys, 'onsale.yaml(5)')


def every_key_is_a_heading_once():
    """`page` fills the frame; a key that it does not know ends the build."""
    with tempfile.NamedTemporaryFile('w', suffix='.scd') as frame:
        frame.write('x(5)\n\n# NAME\n\n@no.such_key@\n\ttext\n')
        frame.flush()
        done = subprocess.run([os.path.join(SOURCE, 'conf/man/page'), frame.name, os.devnull], capture_output=True, check=False)
        assert done.returncode != 0 and b'no.such_key' in done.stderr, done


def commands_in_prose_exist():
    for path in PROSE + ['conf/onsale.service', 'conf/onsale.socket', 'conf/quickstart']:
        named = re.findall(r'(?:^ {4}|`|")(?:sudo )?onsale"? ([a-z][a-z-]+)', read(path), re.M)
        unknown = sorted(set(named) - listed_commands())
        assert not unknown, f'{path}: no such commands: {unknown}'


def files_in_prose_exist():
    for path in PROSE:
        text, folder = read(path), os.path.dirname(path)
        for link in re.findall(r'\]\(([^)#:]+)\)', text):
            assert os.path.exists(os.path.join(SOURCE, folder, link)), f'{path}: {link} does not exist'
        for name in re.findall(r'`((?:scheduler|notifiers|tests|conf|templates|\.ci)/[\w./-]*)`', text):
            assert os.path.exists(os.path.join(SOURCE, name)), f'{path}: {name} does not exist'
        for name in re.findall(r'`(\w+\.[ch])`', text):
            found = glob.glob(os.path.join(SOURCE, 'scheduler', '**', name), recursive=True) + \
                glob.glob(os.path.join(SOURCE, 'notifiers', name))
            assert found, f'{path}: no file {name}'


def functions_in_prose_exist():
    """scheduler/README.md walks by the names of functions."""
    code = ''.join(read(os.path.relpath(file, SOURCE))
                   for file in glob.glob(os.path.join(SOURCE, 'scheduler', '**', '*.[ch]'), recursive=True))
    for name in sorted(set(re.findall(r'`(\w+)\(\)`', read('scheduler/README.md')))):
        assert re.search(rf'\b{name}\(', code), f'scheduler/README.md: no function {name}()'


def tests_of_promises_exist():
    tests = {test['name'] for test in json.loads(output('meson', 'introspect', '--tests', BUILD))}
    rows = re.findall(r'^\| \d+ \|.*\|(.*)\|$', read('README.md'), re.M)
    assert len(rows) == 10, f'{len(rows)} promises'
    for row in rows:
        named = re.findall(r'`([\w-]+)`', row)
        assert named, f'a promise without a test: {row}'
        for name in named:
            assert name in tests, f'README.md: no test {name}'


# What stands in every configuration, for a piece of one.
REST = {'sites': '[{name: arena, source: file, path: definitions.json}]', 'audiences': '[{name: fans, source: file, path: subscribers.csv}]'}


def check(folder, yaml):
    for key, value in REST.items():
        if not re.search(rf'^{key}:', yaml, re.M):
            yaml = f'{key}: {value}\n{yaml}'
    with open(os.path.join(folder, 'onsale.yaml'), 'w', encoding='utf-8') as file:
        file.write(yaml)
    for name in re.findall(r'_file: "?([\w.]+)', yaml):
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n' if name.endswith('.secret') else 'a-secret-of-the-docs-test\n')
    with open(os.path.join(folder, 'subscribers.csv'), 'w', encoding='utf-8') as file:
        file.write('email,status\n')
    done = subprocess.run([ONSALE, 'check', '--config', os.path.join(folder, 'onsale.yaml')], env=ENV, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def configurations_pass():
    examples = re.findall(r'```yaml\n(.*?)```', read('README.md'), re.S) + [read('conf/onsale.yaml')]
    assert len(examples) >= 2
    for yaml in examples:
        with tempfile.TemporaryDirectory() as folder:
            check(folder, yaml)


def the_sample_has_every_common_key():
    """conf/onsale.yaml shows what can be set, if need be in a comment; a plugin's own keys are for the manual."""
    sample = read('conf/onsale.yaml')
    for line in output(ONSALE, '--keys').splitlines():
        section, _, name = line.split('\t')[0].rpartition('.')
        assert re.search(rf'\b{name}(_file)?\b', sample), f'conf/onsale.yaml does not show {section}.{name}'


def the_unit_is_one():
    if not shutil.which('systemd-analyze'):
        raise Skip('no systemd-analyze')
    with tempfile.TemporaryDirectory() as folder:
        unit = os.path.join(folder, 'onsale.service')
        with open(os.path.join(BUILD, 'conf', 'onsale.service'), encoding='utf-8') as file:
            text = re.sub(r'^ExecStart=\S+', 'ExecStart=/bin/true', file.read(), flags=re.M)
        with open(unit, 'w', encoding='utf-8') as file:
            file.write(text)
        sockets = shutil.copy(os.path.join(SOURCE, 'conf', 'onsale.socket'), folder)
        done = subprocess.run(['systemd-analyze', 'verify', unit, sockets], capture_output=True, text=True, check=False)
        complaints = [line for line in (done.stdout + done.stderr).splitlines()
                      if re.search(r'onsale\.(service|socket)', line) and "Command 'man" not in line and ('Failed to' not in line or 'Failed to parse' in line)]
        assert not complaints, '\n'.join(complaints)


def installs():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet'], env=dict(os.environ, DESTDIR=folder),
                       check=True, capture_output=True)
        files = {os.path.basename(file) for file in glob.glob(os.path.join(folder, '**'), recursive=True)}
        for name in ['onsale', 'smtp.so', 'outbox.so', 'email.subject', 'onsale.service', 'onsale.conf', 'onsale.yaml', 'onsale.json', 'onsale.rules.yaml']:
            assert name in files, f'{name} is not installed'


def main():
    tests = [the_manual_has_every_command, the_manual_has_every_key, every_key_is_a_heading_once, commands_in_prose_exist,
             files_in_prose_exist, functions_in_prose_exist, tests_of_promises_exist, configurations_pass,
             the_sample_has_every_common_key, the_unit_is_one, installs]
    failed = 0
    print(f'1..{len(tests)}')
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f'ok {number} - {test.__name__}')
        except Skip as why:
            print(f'ok {number} - {test.__name__} # SKIP {why}')
        except (AssertionError, subprocess.CalledProcessError, OSError) as error:
            failed = 1
            print(f'not ok {number} - {test.__name__}')
            print('\n'.join(f'# {line}' for line in str(error).splitlines()))
    return failed


raise SystemExit(main())
