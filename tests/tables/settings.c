/* The whole file: what is wrong with it is said with its place, and what is right comes out as values. */
#include "settings_file.h"

#define TOKEN "aHVudGVyMmh1bnRlcjI="

#define NO_WAY_OUT(notifier)                                                                                           \
    "no way to unsubscribe, but notifier " notifier                                                                    \
    " reaches other machines: say http.public_url for pages of our own, or unsubscribe_url for the marketing tool's"

static const struct bad {
    const char *find, *replace; /* in the base */
    const char *says;           /* every problem, a line each */
    const char *also, *with;    /* a second change; may be NULL */
} bads[] = {
    /* the top */
    {"store: sqlite:state.db", "store: postgres:x", "1:8: store: expected sqlite:PATH"},
    {"store: sqlite:state.db", "store: \"sqlite:\"", "1:8: store: expected sqlite:PATH"},
    {"store: ", "stroe: ", "1:1: unknown key \"stroe\" (did you mean \"store\"?)"},
    {"[unix:onsale.sock]", "[8470]",
     "4:17: listen: expected unix:PATH (at most 107 bytes), ADDRESS:PORT such as 127.0.0.1:8470, or systemd, found "
     "\"8470\""},
    {"[unix:onsale.sock]", "127.0.0.1:99999",
     "4:16: listen: expected unix:PATH (at most 107 bytes), ADDRESS:PORT such as 127.0.0.1:8470, or systemd, found "
     "\"127.0.0.1:99999\""},
    {"[unix:onsale.sock]", "[\"::1:8470\"]",
     "4:17: listen: expected unix:PATH (at most 107 bytes), ADDRESS:PORT such as 127.0.0.1:8470, or systemd, found "
     "\"::1:8470\""},
    {"store: ", "disk_reserve: 64\nstore: ",
     "1:15: disk_reserve: expected a size such as 512, 64KB or 10MB from 1MB to 1024GB, found \"64\""},
    {"store: ", "templates: /nowhere/at/all\nstore: ",
     "1:12: templates: expected a folder (from the folder of this file), found /nowhere/at/all: No such file or "
     "directory"},
    {"store: ", "templates: [/etc/passwd]\nstore: ",
     "1:13: templates: expected a folder (from the folder of this file), found /etc/passwd: no folder"},
    {"http: {", "http: {rate: [50/s, 600/min], ", "4:14: rate: expected one rate"},
    {"http: {", "http: {rate: often, ", "4:14: rate: expected a rate such as 50/s or 600/min, found \"often\""},
    {"http: {", "http: {connections: 3, ", "4:21: connections: expected a whole number from 16 to 60000, found \"3\""},
    {"http: {", "http: {proxies: [10.0.0.0/8, proxy.example], ",
     "4:30: proxies: expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32, found \"proxy.example\""},
    {"http: {", "http: {proxies: 10.0.0.0/33, ",
     "4:17: proxies: expected 0 to 32 bits behind the slash, found \"10.0.0.0/33\""},
    {"http: {", "http: {public_url: onsale.example, ",
     "4:20: public_url: expected a URL that begins with https:// or http://, without name and password in it"},
    {"http: {", "http: {tokens: [{name: a, token_file: secret, scope: all}], ",
     "4:54: scope: expected read, control, hook or metrics, found \"all\""},
    {"http: {", "http: {hooks: [{name: a}], ", "4:16: missing key \"secret\" (or \"secret_file\")"},
    {"http: {", "http: {hooks: [{name: a, secret: hunter2}], ",
     "4:34: secret: expected whsec_ and 24 to 64 bytes in base64"},
    {"http: {", "http: {hooks: [{name: a, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, audience: fan}], ",
     "4:84: audience: unknown audience \"fan\" (did you mean \"fans\"?)"},
    {"  site_id: 0-0\n", "  site_id: 0-0\n  webhook_key_file: /nowhere/wix.pem\n",
     "9:21: webhook_key_file: /nowhere/wix.pem: No such file or directory"},
    {"http: {", "http: {tokens: [{name: a}], ", "4:17: missing key \"token\" (or \"token_file\")"},
    {"http: {", "http: {tokens: [{name: a, token: " TOKEN "}, {name: a, token: " TOKEN "x}], ",
     "4:64: the token \"a\" is configured twice (first in line 4)"},
    {"http: {", "http: {tokens: [{name: a, token: " TOKEN "}, {name: b, token: " TOKEN "}], ",
     "4:74: the same token as that in line 4: nobody could tell who it was"},
    {"http: {", "http: {tokens: [{name: a, token: hunter2}], ",
     "4:34: token: expected 20 to 1000 characters; make one by: openssl rand -base64 32"},
    {"http: {", "http: {tokens: [{name: a, token_file: short}], ",
     "4:39: token: expected 20 to 1000 characters; make one by: openssl rand -base64 32"},
    {"http: {", "http: {tokens: [{name: a, token: \"hunter2 hunter2 hunter2\"}], ",
     "4:34: token: expected letters, digits and -._~+/= only; make one by: openssl rand -base64 32"},
    {"ops@arena.example", "ops",
     "3:13: operators: expected an e-mail address, found \"ops\": expected an address with one '@'"},
    {"operators: ", "operators_by: mial\noperators: ",
     "3:15: operators_by: unknown notifier \"mial\" (did you mean \"mail\"?)"},
    {"name: A, ", "name: A, contact: nobody, ",
     "2:28: contact: expected an e-mail address, found \"nobody\": expected an address with one '@'"},
    {"store: ", "retention: {people: 1s}\nstore: ",
     "1:21: people: expected a span such as 30s, 5m, 1h or 7d from 1d to 3650d, found \"1s\""},
    {"store: ", "retention: {people: 90d, reports: 89d}\nstore: ",
     "1:12: retention: expected reports to be kept at least as long as people"},
    {"store: ", "stop_grace: soon\nstore: ",
     "1:13: stop_grace: expected a span such as 30s, 5m, 1h or 7d from 0s to 1h, found \"soon\""},

    /* sites */
    {"- name: arena\n", "- name: The Arena\n",
     "6:9: name: expected 1 to 64 of a to z, 0 to 9, \"_\" and \"-\", found \"The Arena\""},
    {"  source: wix\n", "  source: wixx\n", "7:11: source: expected wix or file, found \"wixx\""},
    {"  source: wix\n", "", "6:3: missing key \"source\" (wix or file)"},
    {"  site_id: 0-0\n", "", "6:3: missing key \"site_id\" (the site that the api_key is for; or account_id)"},
    {"  api_key_file: secret\n", "",
     "6:3: missing key \"api_key\" (or \"api_key_file\"; or client_id, client_secret, instance_id)"},
    {"  api_key_file: secret\n", "  client_id: x\n",
     "6:3: missing key \"client_secret\" (of the Wix app)\n"
     "6:3: missing key \"instance_id\" (of the Wix app on this site)"},
    {"  api_key_file: secret\n", "  client_secret_file: secret\n  instance_id: x\n",
     "6:3: missing key \"client_id\" (of the Wix app)"},
    {"  api_key_file: secret\n", "  api_key_file: secret\n  client_id: x\n",
     "6:3: api_key or client_id: only one way to log in"},
    {"Europe/Vilnius", "Europe/Vilno",
     "10:14: time_zone: expected a zone such as Europe/Vilnius (timedatectl list-timezones), found \"Europe/Vilno\""},
    {"  time_zone: Europe/Vilnius\n", "  language: klingon\n",
     "10:13: language: expected a language such as en, de or pt-BR, found \"klingon\""},
    {"  time_zone: Europe/Vilnius\n", "  gate_reserve: 200/min\n",
     "10:17: gate_reserve: must be less than requests, or nothing is left for looking around"},
    {"  time_zone: Europe/Vilnius\n", "  base_url: ftp://x\n",
     "10:13: base_url: expected a URL that begins with https:// or http://, without name and password in it"},
    {"  time_zone: Europe/Vilnius\n", "  path: x\n", "10:9: path: means nothing with source: wix (only with file)"},
    {"  source: wix\n  site_id: 0-0\n  api_key_file: secret\n", "  source: file\n",
     "6:3: missing key \"path\" (the file with ticket definitions)"},
    {"  source: wix\n", "  source: file\n  path: x\n",
     "9:12: site_id: means nothing with source: file (only with wix)\n"
     "10:17: api_key_file: means nothing with source: file (only with wix)"},
    {"audiences:\n", "audiences:\n- {name: test, source: file, path: x}\n",
     "12:10: name: \"test\" is what seeds and test messages are known by: choose another one"},
    {"audiences:\n", "- {name: arena, source: file, path: x}\naudiences:\n",
     "11:10: the site \"arena\" is configured twice (first in line 6)\n"
     "28:3: rule on-sale: \"sites\" is required because there is more than one site"},
    {"audiences:\n", "- {name: club, source: file, path: x}\naudiences:\n",
     "28:3: rule on-sale: \"sites\" is required because there is more than one site"},
    {"  time_zone: Europe/Vilnius\n", "  base_url: http://www.wixapis.com\n",
     "10:13: base_url: expected https:// (http:// only on this machine)"},
    {"  time_zone: Europe/Vilnius\n", "  account_id: 1-1\n",
     "6:3: expected site_id beside the API key (or account_id, not both)"},
    {"  time_zone: Europe/Vilnius\n", "  requests: [200/min, 50/min]\n",
     "6:3: gate_reserve: must be less than requests, or nothing is left to walk"},
    {"  time_zone: Europe/Vilnius\n", "  requests: 200000/min\n",
     "10:13: requests: expected at most 100000 within one span"},

    /* audiences */
    {"  source: file\n", "  source: mailchimp\n", "19:11: source: expected file or listmonk, found \"mailchimp\""},
    {"  path: subscribers.csv\n", "", "18:3: missing key \"path\" (the file with subscribers, CSV or JSON lines)"},
    {"  path: subscribers.csv\n", "  path: subscribers.csv\n  lists: [3]\n",
     "21:10: lists: means nothing with source: file (only with listmonk)"},
    {"  url: http://127.0.0.1:9000\n", "",
     "12:3: missing key \"url\" (listmonk's address, such as http://127.0.0.1:9000)"},
    {"  url: http://127.0.0.1:9000\n", "  url: 127.0.0.1:9000\n",
     "14:8: url: expected a URL that begins with https:// or http://, without name and password in it"},
    {"  url: http://127.0.0.1:9000\n", "  url: http://me:hunter2@127.0.0.1:9000\n",
     "14:8: url: expected a URL that begins with https:// or http://, without name and password in it"},
    {"  username: onsale\n", "", "12:3: missing key \"username\" (listmonk's API user)"},
    {"  token_file: secret\n", "", "12:3: missing key \"token\" (or \"token_file\": the API user's token)"},
    {"  token_file: secret\n", "  token_file: empty\n", "16:15: token_file: empty: the first line is empty"},
    {"  lists: [3]\n", "", "12:3: missing key \"lists\" (numbers of listmonk lists)"},
    {"  lists: [3]\n", "  lists: []\n", "17:10: lists: expected at least one number of a listmonk list"},
    {"  lists: [3]\n", "  lists: [3, fans]\n", "17:14: lists: expected the number of a listmonk list, found \"fans\""},
    {"  lists: [3]\n", "  lists: [0]\n", "17:11: lists: expected the number of a listmonk list, found \"0\""},
    {"  lists: [3]\n", "  lists: [3]\n  interest: {}\n",
     "18:13: interest: expected {attribute: NAME} or {list_name: \"... {event} ...\"}"},
    {"  lists: [3]\n", "  lists: [3]\n  interest: {attribute: a, list_name: \"{event}\"}\n",
     "18:13: interest: expected attribute or list_name, not both"},
    {"  lists: [3]\n", "  lists: [3]\n  interest: {list_name: fans}\n",
     "18:25: list_name: expected {event} in it, where the event's id stands"},
    {"  path: subscribers.csv\n", "  path: subscribers.csv\n  interest: {list_name: \"{event}\"}\n",
     "21:25: list_name: a file has no lists (use attribute: the column that holds event ids)"},
    {"- name: door\n", "- name: fans\n",
     "18:9: the audience \"fans\" is configured twice (first in line 12)\n"
     "29:21: rule on-sale: unknown audience \"door\" (known: fans)"},
    {"  url: http://127.0.0.1:9000\n", "  url: \"\"\n", "12:3: `url` must be listmonk's address, http(s)://..."},
    {"  username: onsale\n", "  username: \"\"\n",
     "12:3: listmonk needs `username` and `token` (or `token_file`) of an API user"},

    /* notifiers */
    {"  plugin: smtp\n", "  plugin: smpt\n", "23:11: plugin: unknown plugin \"smpt\" (did you mean \"smtp\"?)"},
    {"  plugin: smtp\n", "", "22:3: missing key \"plugin\" (a text)"},
    {"  url: smtp://127.0.0.1:2525\n", "", "22:3: missing key \"url\" (a text)"},
    {"  url: smtp://", "  conections: 5\n  url: smtp://",
     "24:3: unknown key \"conections\" (did you mean \"connections\"?)"},
    {"  url: smtp://", "  rte: 5/s\n  url: smtp://", "24:3: unknown key \"rte\" (did you mean \"rate\"?)"},
    {"  url: smtp://", "  passwort: hunter2\n  url: smtp://",
     "24:3: unknown key \"passwort\" (did you mean \"password\"?)"},
    {"  url: smtp://", "  tls: maybe\n  url: smtp://", "24:8: tls: expected required or off, found \"maybe\""},
    {"<tickets@arena.example>", "<tickets>",
     "25:9: from: expected an address such as \"Arena Tickets <tickets@arena.example>\": expected an address with one "
     "'@'"},
    {"  from: Arena <tickets@arena.example>\n", "",
     "22:3: missing key \"from\" (who writes: an address such as \"Arena Tickets <tickets@arena.example>\")"},
    {"  from: ", "  envelope_from: nowhere\n  from: ",
     "25:18: envelope_from: expected an e-mail address, found \"nowhere\": expected an address with one '@'"},
    {"  from: ", "  one_click: true\n  from: ", "25:14: one_click: needs an unsubscribe_url that takes a POST"},
    {"  from: ", "  unsubscribe_url: ftp://x\n  from: ",
     "25:20: unsubscribe_url: expected a URL that begins with https://"},
    {"127.0.0.1:2525", "mail.arena.example:587", "22:3: " NO_WAY_OUT("mail")},
    {"http: {", "http: {public_url: \"https://a.example/?x\", ",
     "4:20: public_url: expected a URL without \"?\" and \"#\""},
    {"127.0.0.1:2525", "mail.arena.example:587",
     "4:20: public_url: expected a URL that begins with https://, as mails of notifier mail carry links to it",
     "http: {", "http: {public_url: \"http://a.example\", "},
    {"http: {", "http: {public_url: \"https://b\xC3\xBChne.example\", ",
     "4:20: public_url: expected letters of ASCII only (a name such as \"b\xC3\xBChne.example\" is written "
     "xn--bhne-0ra.example)"},
    {"127.0.0.1:2525", "mail.arena.example\n  unsubscribe_url: https://a.example/",
     "22:3: sender.postal_address is missing: notifier mail reaches other machines, and each mail must say where the "
     "sender lives",
     ", postal_address: \"S 1\"", ""},
    {"rules:\n", "- {name: away, plugin: smtp, url: \"smtps://mx.example\", from: a@b.example}\nrules:\n",
     "26:3: " NO_WAY_OUT("away")},

    /* rules */
    {"  when: sale_start\n", "",
     "27:3: missing key \"when\" (sale_start, sale_end, \"24h before sale_start\", \"30m after sale_end\" or \"18:00 "
     "the day "
     "before sale_start\")"},
    {"  when: sale_start\n", "  when: soon\n",
     "28:9: when: expected sale_start, sale_end, \"24h before sale_start\", \"30m after sale_end\" or \"18:00 the day "
     "before "
     "sale_start\", found \"soon\""},
    {"  when: sale_start\n", "  when: 1h before sale_end\n  attach_calendar: true\n",
     "29:20: rule on-sale: attach_calendar: expected a rule about sale_start: nothing opens at a sale_end"},
    {"  when: sale_start\n", "  when: sale_start\n  attach_calendar: yes\n",
     "29:20: attach_calendar: expected true or false, found \"yes\""},
    {"  audiences: [fans, door]\n", "  audiences: [fan, door]\n",
     "29:15: rule on-sale: unknown audience \"fan\" (did you mean \"fans\"?)"},
    {"  audiences: [fans, door]\n", "  audiences: [everybody]\n",
     "29:15: rule on-sale: unknown audience \"everybody\" (known: fans, door)"},
    {"  audiences: [fans, door]\n", "  audiences: [fans, fans]\n",
     "29:21: rule on-sale: the audience \"fans\" stands here twice"},
    {"  audiences: [fans, door]\n", "  audiences: []\n", "29:14: rule on-sale: audiences: expected 1 to 31 audiences"},
    {"  notify: [mail]\n", "  notify: [push]\n", "30:12: rule on-sale: unknown notifier \"push\" (known: mail)"},
    {"  notify: [mail]\n", "  notify: []\n",
     "30:11: rule on-sale: notify: expected exactly one notifier (several come with push notifiers)"},
    {"  notify: [mail]\n", "  notify: [mail, mail]\n",
     "30:18: rule on-sale: the notifier \"mail\" stands here twice\n"
     "30:18: rule on-sale: notify: expected exactly one notifier (several come with push notifiers)"},
    {"  notify: [mail]\n", "  notify: [mail]\n  fallback: [mail]\n",
     "31:14: rule on-sale: fallback: must be empty for now (it comes with push notifiers)"},
    {"  notify: [mail]\n", "  notify: [mail]\n  sites: [area]\n",
     "31:11: rule on-sale: unknown site \"area\" (did you mean \"arena\"?)"},
    {"  notify: [mail]\n", "  notify: [mail]\n  combine: series\n", "31:12: combine: expected event, found \"series\""},
    {"  notify: [mail]\n", "  notify: [mail]\n  waves: 3\n", "31:10: waves: reserved for a later version"},
    {"  notify: [mail]\n", "  notify: [mail]\n  quiet_hours: {from: 1}\n",
     "31:16: quiet_hours: reserved for a later version"},
    {"  notify: [mail]\n", "  notify: [mail]\n  at_most: 1/d\n  unless_told_by: x\n",
     "31:12: at_most: reserved for a later version\n32:19: unless_told_by: reserved for a later version"},
    {"  notify: [mail]\n", "  notify: [mail]\n  catchup: 5m\n",
     "31:3: unknown key \"catchup\" (did you mean \"catch_up\"?)"},
    {"  notify: [mail]\n", "  notify: [mail]\n  seed: [me]\n",
     "31:10: seed: expected an e-mail address, found \"me\": expected an address with one '@'"},
    {"template: on-sale", "template: ../on-sale",
     "31:13: rule on-sale: template: expected the name of a folder of templates (a to z, 0 to 9, \"_\", \"-\"), found "
     "\"../on-sale\""},
    {"template: on-sale\n",
     "template: on-sale\n- {name: on-sale, when: sale_end, audiences: door, notify: mail, template: on-sale}\n",
     "32:10: the rule \"on-sale\" is configured twice (first in line 27)"},
    /* webhooks */
    {"rules:\n", "webhooks: [{url: https://a.example}]\nrules:\n",
     "26:12: missing key \"name\" (a text)\n26:12: missing key \"secret\" (or \"secret_file\")"},
    {"rules:\n", "webhooks: [{name: crm, url: http://a.example, secret: " SECRET "}]\nrules:\n",
     "26:29: url: expected https:// (http only with allow_private: true, within your own network)"},
    {"rules:\n", "webhooks: [{name: crm, url: \"https://me:hunter2@a.example\", secret: " SECRET "}]\nrules:\n",
     "26:29: url: expected a URL that begins with https://, without name and password"},
    {"rules:\n", "webhooks: [{name: crm, url: \"https://10.0.0.5/in\", secret: " SECRET "}]\nrules:\n",
     "26:29: url: 10.0.0.5 is no address of the public internet, and would never be called: within your own network "
     "allow_private: true says so"},
    {"rules:\n", "webhooks: [{name: crm, url: \"https://[::1]:8443/in\", secret: " SECRET "}]\nrules:\n",
     "26:29: url: ::1 is no address of the public internet, and would never be called: within your own network "
     "allow_private: true says so"},
    {"rules:\n", "webhooks: [{name: crm, url: \"https://LOCALHOST:9/\", secret: " SECRET "}]\nrules:\n",
     "26:29: url: LOCALHOST is no address of the public internet, and would never be called: within your own network "
     "allow_private: true says so"},
    {"rules:\n", "webhooks: [{name: crm, url: \"https://169.254.169.254\", secret: " SECRET "}]\nrules:\n",
     "26:29: url: 169.254.169.254 is no address of the public internet, and would never be called: within your own "
     "network "
     "allow_private: true says so"},
    {"rules:\n", "webhooks: [{name: crm, url: \"https://[fe80::1]/\", secret: " SECRET "}]\nrules:\n",
     "26:29: url: fe80::1 is no address of the public internet, and would never be called: within your own network "
     "allow_private: true says so"},
    {"rules:\n", "webhooks: [{name: Crm, url: https://a.example, secret: " SECRET "}]\nrules:\n",
     "26:19: name: expected 1 to 64 of a to z, 0 to 9, \"_\" and \"-\", found \"Crm\""},
    {"rules:\n", "webhooks: [{name: crm, url: https://a.example, secret_file: secret}]\nrules:\n",
     "26:61: secret: expected whsec_ and 24 to 64 bytes in base64; make one by: echo \"whsec_$(openssl rand -base64 "
     "32)\""},
    {"rules:\n",
     "webhooks: [{name: crm, url: https://a.example, secret: " SECRET ", old_secret: whsec_hunter2}]\nrules:\n",
     "26:108: old_secret: expected whsec_ and 24 to 64 bytes in base64; make one by: echo \"whsec_$(openssl rand "
     "-base64 "
     "32)\""},
    {"rules:\n",
     "webhooks: [{name: crm, url: https://a.example, secret: " SECRET ", events: [notice.don, ping]}]\nrules:\n",
     "26:105: events: unknown type of event \"notice.don\" (did you mean \"notice.done\"?)\n"
     "26:117: events: unknown type of event \"ping\" (known: opening.scheduled, opening.moved, opening.withdrawn, "
     "notice.started, notice.held, notice.missed, notice.done, notice.stopped, launch.will_not_fit)"},
    {"rules:\n",
     "webhooks: [{name: crm, url: https://a.example, secret: " SECRET ", sites: club, timeout: 1h}]\nrules:\n",
     "26:103: sites: unknown site \"club\" (known: arena)\n"
     "26:118: timeout: expected a span such as 30s, 5m, 1h or 7d from 1s to 30s, found \"1h\""},
    {"rules:\n",
     "webhooks: [{name: a, url: https://a.example, secret: " SECRET
     "}, {name: a, url: https://b.example, secret: " SECRET "}]\nrules:\n",
     "26:102: the webhook \"a\" is configured twice (first in line 26)"},
};

static void bad_settings(void **state)
{
    size_t wrong = 0;

    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        auto_buf struct buf says;
        auto_free char *printed = NULL, *once = change(base, bads[i].find, bads[i].replace);
        auto_free char *yaml = bads[i].also ? change(once, bads[i].also, bads[i].with) : must_strdup(once);
        buf_init(&says, 64 * 1024);
        struct settings *settings = load(*state, text_of(yaml), &printed, &says);
        if (!bads[i].says || settings || !text_is(buf_text(&says), bads[i].says)) {
            print_error("\"%s\" -> \"%s\"\nsaid:\n%s\nexpected:\n%s\n\n", bads[i].find, bads[i].replace,
                        says.ptr ? says.ptr : "", bads[i].says ? bads[i].says : "(a problem)");
            wrong++;
        }
        if (strstr(printed, "hunter"))
            fail_msg("the secret is shown:\n%s", printed);
        settings_free(settings);
    }
    assert_int_equal(wrong, 0);
}

/* A socket's path has to fit into the kernel's struct, a rule's audiences into the ledger's bits. */
static void limits(void **state)
{
    char path[120], many[512] = "  audiences: [door";
    auto_buf struct buf says;

    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[108] = '\0';
    buf_init(&says, 64 * 1024);
    for (int fits = 0; fits < 2; fits++) {
        auto_free char *printed = NULL, *yaml = NULL, *listen = NULL;
        path[108 - fits] = '\0';
        assert_true(asprintf(&listen, "[\"unix:%s\"]", path) > 0);
        yaml = change(base, "[unix:onsale.sock]", listen);
        buf_reset(&says);
        struct settings *settings = load(*state, text_of(yaml), &printed, &says);
        assert_int_equal(settings != NULL, fits);
        assert_int_equal(text_starts(buf_text(&says), "4:17: listen: expected unix:PATH"), !fits);
        settings_free(settings);
    }
    for (int i = 0; i < 31; i++)
        strcat(many, ", door");
    strcat(many, "]\n");
    auto_free char *printed = NULL, *yaml = change(base, "  audiences: [fans, door]\n", many);
    buf_reset(&says);
    assert_null(load(*state, text_of(yaml), &printed, &says));
    assert_true(text_starts(buf_text(&says), "29:14: rule on-sale: audiences: expected 1 to 31 audiences\n"));
}

static void good_settings(void **state)
{
    const struct fixture *fixture = *state;
    auto_buf struct buf says;
    auto_free char *printed = NULL;
    char expected[192];

    buf_init(&says, 64 * 1024);
    struct settings *settings = load(fixture, text_of(base), &printed, &says);
    assert_string_equal(printed, "");
    assert_non_null(settings);
    snprintf(expected, sizeof expected, "sqlite:%s/state.db", fixture->folder);
    assert_string_equal(settings->store, expected);
    snprintf(expected, sizeof expected, "unix:%s/onsale.sock", fixture->folder);
    assert_string_equal(settings->http.listen.at[0], expected);
    assert_int_equal(settings->keep_people_ms, 90LL * DAY_MS);
    assert_int_equal(settings->keep_reports_ms, 3LL * 365 * DAY_MS);
    assert_int_equal(settings->stop_grace_ms, 30 * SECOND_MS);
    assert_int_equal(settings->disk_reserve, 64 << 20);
    assert_string_equal(settings->instance, "");
    assert_string_equal(settings->sender.contact, "");
    assert_string_equal(settings->sites[0].api_key, "hunter2hunter2hunter2");
    assert_true(settings->notifiers[0].local);
    assert_non_null(settings->notifiers[0].plugin_state);
    assert_ptr_equal(settings_rule(settings, "on-sale"), &settings->rules[0]);
    assert_ptr_equal(settings_site(settings, "arena"), &settings->sites[0]);
    assert_ptr_equal(settings_audience(settings, "door"), &settings->audiences[1]);
    assert_ptr_equal(settings_notifier(settings, "mail"), &settings->notifiers[0]);
    assert_null(settings_rule(settings, "none"));
    assert_true(settings_rule_has_site(&settings->rules[0], "arena"));
    settings_free(settings);
}

/* The sample holds for whoever has the files it names; nothing of it is out of date. */
static void the_sample(void **state)
{
    auto_buf struct buf sample, says;
    auto_free char *printed = NULL;
    char path[512];

    buf_init(&sample, 64 * 1024);
    buf_init(&says, 64 * 1024);
    snprintf(path, sizeof path, "%s/conf/onsale.yaml", getenv("ONSALE_SOURCE"));
    assert_int_equal(buf_add_file(&sample, path, NULL), 0);
    struct settings *settings = load(*state, buf_text(&sample), &printed, &says);
    if (!settings)
        fail_msg("%s", printed);
    assert_int_equal(settings->http.token_count, 1);
    assert_int_equal(settings->http.tokens[0].scope, TOKEN_CONTROL);
    settings_free(settings);
}

static void folders(void **state)
{
    const char *extra[] = {"/a", "/b c"};
    struct settings settings = {.template_folders = {extra, NULL, 2}};

    (void)state;
    setenv("ONSALE_PLUGINS", ":/x::y:", 1);
    auto_free const char **plugins = settings_plugin_folders();
    assert_string_equal(plugins[0], "/x");
    assert_string_equal(plugins[1], "y");
    assert_non_null(plugins[2]);
    assert_null(plugins[3]);

    setenv("ONSALE_TEMPLATES", "/t", 1);
    auto_free const char **templates = settings_template_folders(&settings);
    assert_string_equal(templates[0], "/t");
    assert_string_equal(templates[1], "/a");
    assert_string_equal(templates[2], "/b c");
    assert_non_null(templates[3]);
    assert_null(templates[4]);

    unsetenv("ONSALE_PLUGINS");
    unsetenv("ONSALE_TEMPLATES");
    auto_free const char **installed = settings_plugin_folders();
    assert_non_null(installed[0]);
    assert_null(installed[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_settings), cmocka_unit_test(limits),  cmocka_unit_test(good_settings),
        cmocka_unit_test(the_sample),   cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
