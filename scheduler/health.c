#include "health.h"

#include "dispatch.h"
#include "launch.h"
#include "sync.h"

#include <string.h>

enum {
    STUCK_MS = 10 * SECOND_MS,       /* a store thread without a sign of life */
    STALE_WALKS = 3,                 /* walks of a site that may fail ... */
    STALE_GRACE_MS = 60 * SECOND_MS, /* ... and this long */
    UNTOLD_MS = HOUR_MS,             /* an unsubscribe that a marketing tool has not heard of */
};

/* How bad it is when a check finds something wrong, by question. `grave` decides: what only a person can repair, as
 * against what passes by itself. */
static const struct {
    const char *name;
    enum health_word grave[HEALTH_QUESTIONS], slight[HEALTH_QUESTIONS];
} checks[HEALTH_CHECKS] = {
    [HEALTH_DAEMON] = {"daemon", {HEALTH_WARN, HEALTH_FAIL}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_COPY] = {"copy", {HEALTH_FAIL, HEALTH_FAIL}, {HEALTH_PASS, HEALTH_PASS}},
    [HEALTH_STORE] = {"store", {HEALTH_FAIL, HEALTH_FAIL}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_DISK] = {"disk", {HEALTH_FAIL, HEALTH_FAIL}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_NOTIFIERS] = {"notifiers", {HEALTH_FAIL, HEALTH_FAIL}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_SITES] = {"sites", {HEALTH_WARN, HEALTH_FAIL}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_CLOCK] = {"clock", {HEALTH_WARN, HEALTH_FAIL}, {HEALTH_PASS, HEALTH_PASS}},
    [HEALTH_NOTICES] = {"notices", {HEALTH_WARN, HEALTH_WARN}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_PAUSES] = {"pauses", {HEALTH_WARN, HEALTH_WARN}, {HEALTH_WARN, HEALTH_WARN}},
    [HEALTH_WRITEBACKS] = {"writebacks", {HEALTH_WARN, HEALTH_WARN}, {HEALTH_WARN, HEALTH_WARN}},
};

const char *health_check_name(enum health_check check)
{
    return checks[check].name;
}

const char *health_word_name(enum health_word word)
{
    static const char *const names[] = {"pass", "warn", "fail"};

    return names[word];
}

/* --- Judging ------------------------------------------------------------------------------------------------------ */

/* One thing that is wrong; what is found first is told first, and the worst counts. */
static void PRINTF_LIKE(4, 5) find(struct health *out, enum health_check check, bool grave, const char *format, ...)
{
    struct error *said = &out->checks[check].said, before = *said;
    char one[sizeof said->text];
    va_list args;

    for (enum health_question q = 0; q < HEALTH_QUESTIONS; q++) {
        enum health_word word = grave ? checks[check].grave[q] : checks[check].slight[q];
        if (word > out->checks[check].words[q])
            out->checks[check].words[q] = word;
    }
    va_start(args, format);
    vsnprintf(one, sizeof one, format, args);
    va_end(args);
    *said = (struct error){0};
    error_set(said, ERROR_TRY_LATER, "%s%s%s", before.text, *before.text ? "; " : "", one);
}

static void judge_store(const struct store_health *store, bool disk_holds, struct health *out)
{
    if (store->failure.kind != ERROR_NONE)
        find(out, HEALTH_STORE, true, "the last write failed: %s", store->failure.text);
    if (store->keeping.kind != ERROR_NONE)
        find(out, HEALTH_STORE, false, "nothing is lost, but: %s", store->keeping.text);
    if (store->stuck_ms > STUCK_MS)
        find(out, HEALTH_STORE, true, "the store has not moved for %lld s", (long long)(store->stuck_ms / SECOND_MS));
    if (store->room_bytes >= 0 && store->room_bytes < 2 * store->reserve_bytes)
        find(out, HEALTH_DISK, disk_holds || store->room_bytes < store->reserve_bytes,
             "%lld MB are left on the disk of the state, %lld are wanted to send and %lld to read people",
             (long long)(store->room_bytes >> 20), (long long)(store->reserve_bytes >> 20),
             (long long)(store->reserve_bytes >> 19));
}

static void judge_writebacks(const struct store_health *store, int64_t now_ms, struct health *out)
{
    int64_t since_ms = store->oldest_writeback_at_ms;

    if (store->writebacks > 0 && now_ms - since_ms > UNTOLD_MS)
        find(out, HEALTH_WRITEBACKS, false,
             "marketing tools have not heard of %lld unsubscribes, the first of %lld minutes ago: see writeback_waits "
             "in "
             "the log",
             (long long)store->writebacks, (long long)((now_ms - since_ms) / MINUTE_MS));
}

static void judge_site(const struct health_site *site, struct health *out)
{
    const char *failure = site->failure ? site->failure : "no answer yet";

    if (site->stale_ms < 0)
        find(out, HEALTH_SITES, true, "%s: not walked since the start: %s", site->name, failure);
    else if (site->stale_ms > STALE_WALKS * site->poll_every_ms + STALE_GRACE_MS)
        find(out, HEALTH_SITES, true, "%s: not walked for %lld s: %s", site->name,
             (long long)(site->stale_ms / SECOND_MS), failure);
    else if (site->failure)
        find(out, HEALTH_SITES, false, "%s: %s", site->name, failure);
}

static void judge_reload(const struct health_facts *facts, struct health *out)
{
    auto_buf struct buf at;

    buf_init(&at, 64);
    buf_add_moment(&at, facts->configured_at_ms);
    find(out, HEALTH_DAEMON, false, "the configuration of %.*s is at work, the file was refused: %s",
         TEXT_ARGS(buf_text(&at)), facts->reload_refused);
}

void health_judge(const struct health_facts *facts, struct health *out)
{
    *out = (struct health){0};
    if (facts->building)
        find(out, HEALTH_DAEMON, true, "starting or reloading");
    else if (facts->stopping)
        find(out, HEALTH_DAEMON, true, "what is in flight comes home: reloading or stopping");
    if (facts->reload_refused)
        judge_reload(facts, out);
    if (facts->restart_for)
        find(out, HEALTH_DAEMON, false, "until a restart %s: systemctl restart onsale", facts->restart_for);
    if (facts->copy)
        find(out, HEALTH_COPY, true,
             "nothing is sent, lest people are told twice: %s. If no other daemon sends from this state: onsale resume "
             "--this-is-the-one",
             facts->copy);
    judge_store(&facts->store, facts->disk_holds, out);
    for (size_t i = 0; i < facts->notifier_count; i++)
        if (facts->notifiers[i].trouble)
            find(out, HEALTH_NOTIFIERS, facts->notifiers[i].needs_person, "%s: %s", facts->notifiers[i].name,
                 facts->notifiers[i].trouble);
    for (size_t i = 0; i < facts->site_count; i++)
        judge_site(&facts->sites[i], out);
    if (facts->frozen)
        find(out, HEALTH_CLOCK, true, "the clock was set by more than 5 minutes: no site has confirmed it yet");
    if (facts->unread)
        find(out, HEALTH_NOTICES, false, "%zu cannot read their people: %s", facts->unread, facts->unread_why);
    if (facts->held)
        find(out, HEALTH_NOTICES, false, "%zu held: see onsale notices", facts->held);
    if (facts->pauses)
        find(out, HEALTH_PAUSES, false, "%zu in force, until onsale resume", facts->pauses);
    judge_writebacks(&facts->store, facts->now_ms, out);
}

enum health_word health_word(const struct health *health, enum health_question question)
{
    enum health_word worst = HEALTH_PASS;

    for (size_t i = 0; i < HEALTH_CHECKS; i++)
        if (health->checks[i].words[question] > worst)
            worst = health->checks[i].words[question];
    return worst;
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

void health_look(const struct world *world, struct health *out)
{
    size_t states[NOTICE_STATES] = {0};

    if (world->launches)
        launches_count(world->launches, states);
    struct health_facts facts = {.building = !world->launches || !world->dispatch,
                                 .stopping = world->stopping,
                                 .copy = world->copy,
                                 .disk_holds = world->disk.why.kind != ERROR_NONE,
                                 .frozen = world->frozen,
                                 .now_ms = clock_now_ms(world->clock),
                                 .held = states[NOTICE_HELD],
                                 .pauses = world->pause_count,
                                 .reload_refused = world->reload_refused,
                                 .restart_for = world->restart_for,
                                 .configured_at_ms = world->configured_at_ms};
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        if (notice->state != NOTICE_GATHERING || !notice->course->reason_text)
            continue;
        facts.unread++;
        facts.unread_why = notice->course->reason_text;
    }
    auto_free struct health_site *sites = must_calloc(world->site_count + 1, sizeof *sites);
    auto_free struct health_notifier *notifiers = must_calloc(world->channel_count + 1, sizeof *notifiers);

    for (size_t i = 0; i < world->site_count; i++) {
        const struct world_site *site = &world->sites[i];
        if (site->sync)
            sites[facts.site_count++] = (struct health_site){.name = site->name,
                                                             .failure = sync_failure(site->sync),
                                                             .stale_ms = sync_stale_ms(site->sync),
                                                             .poll_every_ms = site->settings->poll_every_ms};
    }
    for (size_t i = 0; i < world->channel_count; i++)
        notifiers[facts.notifier_count++] =
            (struct health_notifier){.name = channel_settings(world->channels[i])->name,
                                     .trouble = channel_trouble(world->channels[i]),
                                     .needs_person = channel_needs_person(world->channels[i]) != NULL};
    facts.sites = sites;
    facts.notifiers = notifiers;
    store_health(world->store, &facts.store);
    health_judge(&facts, out);
}

/* What other sides said may be anything. */
static json_t *output_of(const struct error *said)
{
    auto_buf struct buf shown;

    buf_init(&shown, 4 * sizeof said->text);
    buf_add_visible(&shown, text_of(said->text));
    return json_stringn(shown.ptr, shown.len);
}

json_t *health_json(const struct health *health, enum health_question question, bool texts)
{
    json_t *all = json_object();

    for (size_t i = 0; i < HEALTH_CHECKS; i++) {
        const struct error *said = &health->checks[i].said;
        json_t *one = json_pack("{s:s}", "status", health_word_name(health->checks[i].words[question]));
        if (texts && *said->text)
            json_object_set_new(one, "output", output_of(said));
        json_object_set_new(all, checks[i].name, json_pack("[o]", one));
    }
    return json_pack("{s:s, s:o}", "status", health_word_name(health_word(health, question)), "checks", all);
}

/* --- Answering ---------------------------------------------------------------------------------------------------- */

void health_handle(const struct world *world, struct server_request *request, const struct server_call *call,
                   bool texts)
{
    enum health_question question = strcmp(call->path, "/readyz") == 0 ? HEALTH_READY : HEALTH_ALIVE;
    struct health health;

    if (strcmp(call->method, "GET") != 0) {
        server_refuse(request, 405, "health is asked by GET");
        return;
    }
    health_look(world, &health);
    json_t *json = health_json(&health, question, texts);
    auto_free char *body = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    server_reply(request, &(struct server_reply){.status = health_word(&health, question) == HEALTH_FAIL ? 503 : 200,
                                                 .type = "application/health+json",
                                                 .body = text_of(body)});
}
