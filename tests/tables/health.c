/* Is it well? Each check by its cause, for both questions; and what is said to whom. */
#include "health.h"
#include "table.h"

#include <string.h>

#define GIGABYTE (INT64_C(1) << 30)

static const struct health_site well_site = {.name = "arena", .stale_ms = 1000, .poll_every_ms = MINUTE_MS};

static struct health_facts well(void)
{
    return (struct health_facts){
        .store = {.room_bytes = GIGABYTE, .reserve_bytes = 64 << 20}, .sites = &well_site, .site_count = 1};
}

/* The change that a case makes to facts that are well. */
struct change {
    bool building, stopping, frozen, disk_holds;
    const char *refused_file, *restart_for, *unread, *copy, *write_failure, *keeping, *site_failure, *trouble;
    int64_t room_bytes, stuck_ms, stale_ms;
    bool needs_person;
    size_t held, pauses;
    int64_t untold_ms; /* how long the first of two write-backs waits; 0: none does */
};

static struct health judge(const struct change *change)
{
    struct health_facts facts = well();
    struct health_site site = well_site;
    struct health_notifier notifiers[] = {{.name = "push"}, {.name = "mail", .trouble = change->trouble}};
    struct health out;

    facts.building = change->building;
    facts.stopping = change->stopping;
    facts.frozen = change->frozen;
    facts.copy = change->copy;
    facts.held = change->held;
    facts.pauses = change->pauses;
    facts.now_ms = DAY_MS;
    facts.store.writebacks = change->untold_ms ? 2 : 0;
    facts.store.oldest_writeback_at_ms = change->untold_ms ? DAY_MS - change->untold_ms : MOMENT_NONE;
    if (change->write_failure)
        error_set(&facts.store.failure, ERROR_TRY_LATER, "%s", change->write_failure);
    facts.reload_refused = change->refused_file;
    facts.restart_for = change->restart_for;
    facts.configured_at_ms = 0;
    facts.unread = change->unread ? 1 : 0;
    facts.unread_why = change->unread;
    if (change->keeping)
        error_set(&facts.store.keeping, ERROR_TRY_LATER, "%s", change->keeping);
    facts.disk_holds = change->disk_holds;
    if (change->room_bytes)
        facts.store.room_bytes = change->room_bytes;
    facts.store.stuck_ms = change->stuck_ms;
    site.failure = change->site_failure;
    if (change->stale_ms)
        site.stale_ms = change->stale_ms;
    facts.sites = &site;
    notifiers[1].needs_person = change->needs_person;
    facts.notifiers = notifiers;
    facts.notifier_count = 2;
    health_judge(&facts, &out);
    return out;
}

static const struct {
    const char *name;
    struct change change;
    enum health_check check;
    enum health_word alive, ready;
    const char *says; /* a part of it; NULL: nothing */
} cases[] = {
    {"well", {0}, HEALTH_DAEMON, HEALTH_PASS, HEALTH_PASS, NULL},
    {"starting", {.building = true}, HEALTH_DAEMON, HEALTH_WARN, HEALTH_FAIL, "starting"},
    {"reloading", {.stopping = true}, HEALTH_DAEMON, HEALTH_WARN, HEALTH_FAIL, "comes home"},
    {"a copy",
     {.copy = "belongs to another"},
     HEALTH_COPY,
     HEALTH_FAIL,
     HEALTH_FAIL,
     "told twice: belongs to another. If no other"},
    {"writes fail", {.write_failure = "disk full"}, HEALTH_STORE, HEALTH_FAIL, HEALTH_FAIL, "disk full"},
    {"a refused file",
     {.refused_file = "onsale.yaml:3:1: no"},
     HEALTH_DAEMON,
     HEALTH_WARN,
     HEALTH_WARN,
     "of 1970-01-01T00:00:00.000Z is at work, the file was refused: onsale.yaml:3:1: no"},
    {"a change waits for a restart",
     {.restart_for = "http.rate is 50 in 1s and not 90 in 1s"},
     HEALTH_DAEMON,
     HEALTH_WARN,
     HEALTH_WARN,
     "until a restart http.rate is 50 in 1s and not 90 in 1s: systemctl restart onsale"},
    {"unread people", {.unread = "fans.csv: gone"}, HEALTH_NOTICES, HEALTH_WARN, HEALTH_WARN, "people: fans.csv: gone"},
    {"its log grows", {.keeping = "not folded"}, HEALTH_STORE, HEALTH_WARN, HEALTH_WARN, "lost, but: not folded"},
    {"stuck", {.stuck_ms = 10001}, HEALTH_STORE, HEALTH_FAIL, HEALTH_FAIL, "not moved for 10 s"},
    {"slow", {.stuck_ms = 10000}, HEALTH_STORE, HEALTH_PASS, HEALTH_PASS, NULL},
    {"no room", {.room_bytes = (64 << 20) - 1}, HEALTH_DISK, HEALTH_FAIL, HEALTH_FAIL, "63 MB are left"},
    {"enough to send", {.room_bytes = 64 << 20}, HEALTH_DISK, HEALTH_WARN, HEALTH_WARN, "128 to read people"},
    {"enough again, not yet sure",
     {.room_bytes = 64 << 20, .disk_holds = true},
     HEALTH_DISK,
     HEALTH_FAIL,
     HEALTH_FAIL,
     "64 are wanted to send"},
    {"just enough", {.room_bytes = 128 << 20}, HEALTH_DISK, HEALTH_PASS, HEALTH_PASS, NULL},
    {"not measured yet", {.room_bytes = -1}, HEALTH_DISK, HEALTH_PASS, HEALTH_PASS, NULL},
    {"wrong password",
     {.trouble = "535 no", .needs_person = true},
     HEALTH_NOTIFIERS,
     HEALTH_FAIL,
     HEALTH_FAIL,
     "mail: 535 no"},
    {"relay away", {.trouble = "refused"}, HEALTH_NOTIFIERS, HEALTH_WARN, HEALTH_WARN, "mail: refused"},
    {"never walked", {.stale_ms = -1}, HEALTH_SITES, HEALTH_WARN, HEALTH_FAIL, "arena: not walked since the start"},
    {"stale",
     {.stale_ms = 4 * MINUTE_MS + 1, .site_failure = "503"},
     HEALTH_SITES,
     HEALTH_WARN,
     HEALTH_FAIL,
     "arena: not walked for 240 s: 503"},
    {"not quite", {.stale_ms = 4 * MINUTE_MS}, HEALTH_SITES, HEALTH_PASS, HEALTH_PASS, NULL},
    {"one walk failed", {.site_failure = "timeout"}, HEALTH_SITES, HEALTH_WARN, HEALTH_WARN, "arena: timeout"},
    {"frozen", {.frozen = true}, HEALTH_CLOCK, HEALTH_WARN, HEALTH_FAIL, "clock"},
    {"held", {.held = 2}, HEALTH_NOTICES, HEALTH_WARN, HEALTH_WARN, "2 held"},
    {"paused", {.pauses = 1}, HEALTH_PAUSES, HEALTH_WARN, HEALTH_WARN, "1 in force"},
    {"just unsubscribed", {.untold_ms = HOUR_MS}, HEALTH_WRITEBACKS, HEALTH_PASS, HEALTH_PASS, NULL},
    {"the tool does not hear",
     {.untold_ms = HOUR_MS + MINUTE_MS},
     HEALTH_WRITEBACKS,
     HEALTH_WARN,
     HEALTH_WARN,
     "2 unsubscribes, the first of 61 minutes ago"},
};

static void each_by_its_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct health health = judge(&cases[i].change);
        const char *said = health.checks[cases[i].check].said.text;
        if (health.checks[cases[i].check].words[HEALTH_ALIVE] != cases[i].alive ||
            health.checks[cases[i].check].words[HEALTH_READY] != cases[i].ready ||
            (cases[i].says ? !strstr(said, cases[i].says) : *said))
            fail_msg("%s: alive %d, ready %d, \"%s\"", cases[i].name, health.checks[cases[i].check].words[HEALTH_ALIVE],
                     health.checks[cases[i].check].words[HEALTH_READY], said);
        /* ... and nothing else is blamed. */
        assert_int_equal(health_word(&health, HEALTH_ALIVE), cases[i].alive);
        assert_int_equal(health_word(&health, HEALTH_READY), cases[i].ready);
    }
}

static void several_are_told_together(void **state)
{
    struct health_facts facts = well();
    struct health_site sites[] = {{.name = "arena", .stale_ms = -1},
                                  {.name = "club", .failure = "timeout", .poll_every_ms = MINUTE_MS}};
    struct health out;

    (void)state;
    facts.sites = sites;
    facts.site_count = 2;
    health_judge(&facts, &out);
    assert_string_equal(out.checks[HEALTH_SITES].said.text,
                        "arena: not walked since the start: no answer yet; club: timeout");
    assert_int_equal(out.checks[HEALTH_SITES].words[HEALTH_READY], HEALTH_FAIL);
}

/* Many long ones are cut, not overrun. */
static void long_texts_are_cut(void **state)
{
    struct health_facts facts = well();
    struct health_notifier notifiers[40];
    char text[300];
    struct health out;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(notifiers); i++)
        notifiers[i] = (struct health_notifier){.name = "mail", .trouble = text, .needs_person = true};
    facts.notifiers = notifiers;
    facts.notifier_count = ARRAY_LEN(notifiers);
    health_judge(&facts, &out);
    assert_int_equal(strlen(out.checks[HEALTH_NOTIFIERS].said.text),
                     sizeof(struct error) - sizeof(enum error_kind) - 1);
}

/* Who has no token hears the names of the checks and a word for each: no names of ours, nothing that others said. */
static void strangers_hear_little(void **state)
{
    struct health health = judge(&(struct change){.trouble = "535 for user \x01\xFF", .needs_person = true});

    (void)state;
    auto_free char *little = NULL, *all = NULL;
    json_t *stranger = health_json(&health, HEALTH_ALIVE, false), *friend = health_json(&health, HEALTH_ALIVE, true);
    little = json_dumps(stranger, JSON_COMPACT);
    all = json_dumps(friend, JSON_COMPACT);
    assert_string_equal(little,
                        "{\"status\":\"fail\",\"checks\":{\"daemon\":[{\"status\":\"pass\"}],\"copy\":[{\"status\":"
                        "\"pass\"}],\"store\":[{\"status\":\"pass\"}],\"disk\":[{\"status\":\"pass\"}],"
                        "\"notifiers\":[{\"status\":\"fail\"}],\"sites\":[{\"status\":\"pass\"}],\"clock\":[{"
                        "\"status\":\"pass\"}],\"notices\":[{\"status\":\"pass\"}],\"pauses\":[{\"status\":"
                        "\"pass\"}],\"writebacks\":[{\"status\":\"pass\"}]}}");
    assert_non_null(strstr(all, "\"output\":\"mail: 535 for user"));
    json_decref(stranger);
    json_decref(friend);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_by_its_cause),
        cmocka_unit_test(several_are_told_together),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(strangers_hear_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
