#!/usr/bin/python3
"""Holds the direction of the house: each file includes only what stands below it, and each library is spoken to from its own
files. The ladder is read top down; on a line joined by '|' neighbours are strangers, in an ordered line what stands later may
include what stands earlier."""

import os
import re
import sys

ROOT = os.path.join(os.environ.get('ONSALE_SOURCE', os.path.join(os.path.dirname(__file__), '..')), 'scheduler')

# From the ground up. Within a rung, a list of groups: files of one group may include each other, groups only earlier ones
# where the rung is ordered.
LADDER = [
    ('ground', True, [['error'], ['text'], ['index'], ['clock'], ['log'], ['metrics', 'metrics_table'], ['notify'], ['zone'], ['locale'], ['letters'], ['crypt'], ['crypt_keys'], ['crypt_siv'], ['crypt_token'], ['crypt_webhook'], ['crypt_jws'], ['dns'],
                      ['config', 'config_value', 'config_yaml', 'config_problem', 'config_tree'],
                      ['origin'], ['seldom'], ['target'], ['conditional'], ['visitors']]),
    # A rung of its own, so that fetch and wire, which both stand on it, stay strangers.
    ('libcurl in the loop', False, [['multi']]),
    ('loop', False, [['fetch'], ['wire', 'wire_setup'], ['alarm'], ['turns']]),
    ('things', True, [['definition'], ['delivery'], ['rule'], ['notice'], ['opening']]),
    ('words', True, [['address'], ['suppression'], ['said'], ['scrub'], ['pace'], ['share'], ['forecast'], ['brake'], ['breaker'], ['told'], ['plan', 'want'], ['gate'],
                     ['render', 'render_form', 'render_run', 'render_private'],
                     ['mime', 'mime_quote'], ['mail'], ['bounce', 'bounce_judge', 'bounce_scrub'], ['templates'], ['unsubscribe'], ['values'], ['webhook'],
                     ['calendar', 'calendar_lines', 'calendar_links', 'calendar_words', 'calendar_private'],
                     ['message', 'message_calendar', 'message_view', 'message_sheet', 'message_ahead', 'message_sample', 'message_private']]),
    ('edges', False, [['source/'], ['audience/'], ['channel', 'channel_plugin', 'channel_host', 'channel_claims', 'channel_kept', 'channel_job', 'channel_trouble', 'channel_private'], ['store/'],
               ['server', 'server_private', 'server_client', 'server_form', 'server_listen', 'server_page', 'server_reply',
                'server_stream']]),
    ('flow', True, [['events'], ['world'], ['known'], ['private_feeds'], ['news'], ['progress'], ['outlook'], ['outside'], ['again'],
                    ['feed_body'], ['feed', 'feed_publish', 'feed_write', 'feed_private'], ['retention'], ['webhooks', 'webhooks_ping', 'webhooks_private'], ['writeback'], ['consent'], ['gather'], ['roll'], ['gatekeeper'], ['dispatch', 'dispatch_claims', 'dispatch_person', 'dispatch_put_off', 'dispatch_private', 'sending'],
                    ['invitation'],
                    ['launch', 'launches', 'launch_gate', 'launch_end', 'launch_operator', 'launch_orphan', 'launch_tongues', 'launch_private'], ['disk'], ['estimate'], ['follow'], ['sync', 'sync_nudge', 'sync_plan', 'sync_private'], ['operators'],
                    ['draft'], ['preview'], ['send_test']]),
    ('doors', True, [['settings', 'settings_check', 'settings_demand', 'settings_http', 'settings_keys', 'settings_webhooks'],
                     ['check', 'check_online', 'check_private'],
                     ['playbook'],
                     ['cast'],
                     ['health'],
                     ['measures'],
                     ['api_page'],
                     ['api_request'],
                     ['auth'],
                     ['scrape'],
                     ['api', 'api_private', 'api_know', 'api_consent', 'api_events', 'api_steer', 'api_backup', 'api_send', 'api_feedback', 'api_feeds', 'api_privacy', 'api_webhooks'],
                     ['hooks', 'hooks_blame', 'hooks_body', 'hooks_read', 'hooks_signed', 'hooks_wix', 'hooks_word'],
                     ['pages'],
                     ['feeds'],
                     ['doors'],
                     ['daemon'],
                     ['client'], ['client_events'],
                     ['cli_fit'], ['cli_table'],
                     ['cli', 'cli_preview', 'cli_report', 'cli_show', 'cli_feed', 'cli_feeds', 'cli_people', 'cli_rows', 'cli_suppressions', 'cli_control', 'cli_backup', 'cli_status', 'cli_bounce', 'cli_privacy', 'cli_watch', 'cli_webhooks'],
                     ['main']]),
]

LIBRARIES = {
    r'curl/': {'multi', 'fetch', 'wire', 'wire_setup'},  # transfers and connections, and what both need of the loop
    r'microhttpd': {'server_private'},
    r'libical/': {'calendar'},
    r'zlib': {'feed_body'},
    r'sqlite3': {'store/'},
    r'yaml': {'config', 'config_yaml'},
    r'openssl/': {'crypt', 'crypt_keys', 'crypt_siv', 'crypt_token', 'crypt_webhook', 'crypt_jws'},
    r'unicode/': {'locale'},
    r'resolv': {'dns'},
    r'idn2': {'address', 'mime'},
    r'dlfcn': set(),
}


def place(name):
    """(rung, group) of a file by its path without ending; folders count as one file."""
    for rung, (_, _, groups) in enumerate(LADDER):
        for group, members in enumerate(groups):
            for member in members:
                if name == member or (member.endswith('/') and name.startswith(member)):
                    return rung, group
    return None


def main():
    problems = []
    for folder, _, files in os.walk(ROOT):
        for file in sorted(files):
            if not file.endswith(('.c', '.h')):
                continue
            path = os.path.relpath(os.path.join(folder, file), ROOT)
            name = path[:-2]
            mine = place(name)
            if mine is None:
                problems.append(f'{path}: the ladder of tests/direction.py does not know it')
                continue
            with open(os.path.join(folder, file), encoding='utf-8') as source:
                text = source.read()
            for included in re.findall(r'^#include "([^"]+)"', text, re.M):
                if included in ('build-config.h', 'notifier.h', 'openapi.h'):
                    continue
                local = os.path.normpath(os.path.join(os.path.dirname(path), included))
                target = local if os.path.exists(os.path.join(ROOT, local)) else included
                other = place(target[:-2])
                if other is None:
                    problems.append(f'{path}: includes unknown "{included}"')
                elif other[0] > mine[0]:
                    problems.append(f'{path} ({LADDER[mine[0]][0]}) includes "{included}" ({LADDER[other[0]][0]}): upwards')
                elif other[0] == mine[0] and other[1] != mine[1]:
                    ordered = LADDER[mine[0]][1]
                    if not ordered:
                        problems.append(f'{path} includes "{included}": neighbours in {LADDER[mine[0]][0]} are strangers')
                    elif other[1] > mine[1]:
                        problems.append(f'{path} includes "{included}": it stands later in {LADDER[mine[0]][0]}')
            for library in re.findall(r'^#include <([^>]+)>', text, re.M):
                for pattern, allowed in LIBRARIES.items():
                    if re.match(pattern, library) and not any(
                            name == one or (one.endswith('/') and name.startswith(one)) for one in allowed):
                        problems.append(f'{path}: <{library}> is for {", ".join(sorted(allowed)) or "nobody"}')
    notifiers = os.path.join(ROOT, '..', 'notifiers')
    for file in sorted(os.listdir(notifiers)) if os.path.isdir(notifiers) else []:
        with open(os.path.join(notifiers, file), encoding='utf-8') as source:
            for included in re.findall(r'^#include "([^"]+)"', source.read(), re.M):
                if not os.path.exists(os.path.join(notifiers, included)):
                    problems.append(f'notifiers/{file}: includes "{included}": plugins see notifier.h and nothing else of ours')
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())
