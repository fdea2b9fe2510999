/* replay.c - tells a story to the real flow: real configuration, real store, real file source and audience, the null
 * notifier, and a clock that only the story moves. One text file per story; `stories/README` lists the words. */
#include "cast.h"
#include "launch.h"
#include "sync.h"
#include "wire.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

enum { DEFINITIONS_MAX = 64, PEOPLE_MAX = 64, WORDS_MAX = 64 };

struct told_definition {
    char id[64], event[64], name[64], start[40], end[40], created[40], updated[40], status[16], zone[64], sold_out[8];
    int revision;
    bool hidden, deleted;
};

struct replay {
    const char *story;
    unsigned line;
    char folder[64];
    int64_t now_ms;
    struct clock clock;
    struct log log;
    uv_loop_t loop;
    struct world world;
    struct crypt_keys keys;
    struct store_image image;
    struct cast_parts parts;
    struct cast *cast;
    struct told_definition definitions[DEFINITIONS_MAX];
    size_t definition_count;
    struct {
        char address[128], status[32];
    } people[PEOPLE_MAX];
    size_t people_count;
    struct source_ops silent;           /* the source's ops while it gives no answer */
    const struct source_ops *answering; /* its own */
    unsigned failures;
};

static void fail(struct replay *replay, const char *format, ...) PRINTF_LIKE(2, 3);

static void fail(struct replay *replay, const char *format, ...)
{
    va_list args;

    replay->failures++;
    fprintf(stderr, "%s:%u: ", replay->story, replay->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static int64_t story_clock(void *ctx)
{
    return ((struct replay *)ctx)->now_ms;
}

static void path_in(const struct replay *replay, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", replay->folder, name);
}

static void write_file(struct replay *replay, const char *name, struct text content)
{
    char path[128], fresh[136];

    path_in(replay, name, path, sizeof path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    auto_file FILE *file = fopen(fresh, "w");
    if (!file || fwrite(content.ptr, 1, content.len, file) != content.len || fflush(file) != 0 ||
        rename(fresh, path) < 0)
        fail(replay, "cannot write %s", path);
}

/* --- What the shop and the marketing tool hold -----------------------------------------------------------------------
 */

static void write_definitions(struct replay *replay)
{
    json_t *list = json_array();

    for (size_t i = 0; i < replay->definition_count; i++) {
        const struct told_definition *d = &replay->definitions[i];
        char revision[16];
        if (d->deleted)
            continue;
        snprintf(revision, sizeof revision, "%d", d->revision);
        json_t *period = json_object(), *dates = json_object(), *sales = json_object();
        if (*d->start)
            json_object_set_new(period, "startDate", json_string(d->start));
        if (*d->end)
            json_object_set_new(period, "endDate", json_string(d->end));
        if (*d->zone)
            json_object_set_new(dates, "timeZoneId", json_string(d->zone));
        json_object_set_new(sales, "soldOut", json_boolean(strcmp(d->sold_out, "yes") == 0));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:{s:{s:s, s:s}}, s:{s:s, s:s, s:o}}", "id",
                            d->id, "eventId", d->event, "revision", revision, "createdDate", d->created, "updatedDate",
                            d->updated, "name", d->name, "hidden", d->hidden, "salePeriod", period, "salesDetails",
                            sales, "pricingMethod", "fixedPrice", "value", "10.00", "currency", "EUR", "eventDetails",
                            "title", d->event, "status", d->status, "dateAndTimeSettings", dates));
    }
    json_t *page = json_pack("{s:o}", "ticketDefinitions", list);
    auto_free char *text = json_dumps(page, JSON_INDENT(1));
    write_file(replay, "definitions.json", text_of(text));
    json_decref(page);
}

static void write_people(struct replay *replay)
{
    auto_buf struct buf csv;

    buf_init(&csv, 1 << 20);
    buf_adds(&csv, "email,status\n");
    for (size_t i = 0; i < replay->people_count; i++)
        buf_addf(&csv, "%s,%s\n", replay->people[i].address, replay->people[i].status);
    write_file(replay, "people.csv", buf_text(&csv));
}

static void moment_text(int64_t at_ms, char *out, size_t size)
{
    auto_buf struct buf buf;

    buf_init(&buf, 64);
    buf_add_moment(&buf, at_ms);
    snprintf(out, size, "%s", buf.ptr);
}

/* --- The world's life
 * ------------------------------------------------------------------------------------------------- */

static void settle(struct replay *replay)
{
    unsigned quiet = 0;

    /* Pool work and store jobs are all there is besides the alarms; their answers may start more. */
    while (quiet < 3) {
        uv_run(&replay->loop, UV_RUN_NOWAIT);
        bool busy = replay->loop.active_reqs.count > 0 || store_pending(replay->world.store) > 0;
        quiet = busy ? 0 : quiet + 1;
        if (busy)
            usleep(50);
    }
}

static void advance(struct replay *replay, int64_t to_ms)
{
    settle(replay);
    for (;;) {
        int64_t next_ms = alarms_next_at_ms(replay->world.alarms);
        if (next_ms == MOMENT_NONE || next_ms > to_ms)
            break;
        if (next_ms > replay->now_ms)
            replay->now_ms = next_ms;
        alarms_run(replay->world.alarms);
        settle(replay);
    }
    if (to_ms > replay->now_ms)
        replay->now_ms = to_ms;
    alarms_run(replay->world.alarms);
    settle(replay);
}

static struct settings *load_settings(struct replay *replay)
{
    auto_free const char **folders = settings_plugin_folders();
    struct error err = {0};
    char path[128];

    path_in(replay, "onsale.yaml", path, sizeof path);
    struct settings *settings = settings_load(path, folders, stderr, &err);
    if (!settings)
        fail(replay, "configuration: %s", err.text);
    return settings;
}

static void begin(struct replay *replay)
{
    struct world *world = &replay->world;
    struct settings *settings = load_settings(replay);
    struct error err = {0};
    char witness[128], keys[128];

    if (!settings)
        return;
    path_in(replay, "witness", witness, sizeof witness);
    path_in(replay, "onsale.keys", keys, sizeof keys);
    *world = (struct world){.clock = &replay->clock, .log = &replay->log, .keys = &replay->keys};
    world->store = store_open(&(struct store_spec){.url = settings->store,
                                                   .instance = "replay",
                                                   .witness_path = witness,
                                                   .clock = &replay->clock,
                                                   .loop = &replay->loop,
                                                   .log = &replay->log},
                              &err);
    if (!world->store || crypt_keys_load(keys, true, &replay->keys, &err) < 0 ||
        store_load(world->store, &replay->image, &err) < 0) {
        fail(replay, "%s", err.text);
        exit(1);
    }
    world->copy = store_copy_reason(world->store);
    world_take(world, &replay->image);
    world->alarms = alarms_new(&replay->loop, &replay->clock, &err);
    world->zones = zones_new();
    world->locales = locales_new(&err);
    replay->parts = (struct cast_parts){.loop = &replay->loop,
                                        .fetcher = fetcher_new(&replay->loop, &err),
                                        .wires = wires_new(&replay->loop, &err),
                                        .first_loads = replay->image.first_loads,
                                        .first_load_count = replay->image.first_load_count};
    replay->cast = cast_new(settings, world, &replay->parts, &err);
    if (!replay->cast) {
        fail(replay, "%s", err.text);
        exit(1);
    }
    settle(replay);
}

static void stop_cast(struct replay *replay)
{
    cast_stop(replay->cast, 0);
    settle(replay);
    cast_free(replay->cast);
    replay->cast = NULL;
}

static void end(struct replay *replay)
{
    struct world *world = &replay->world;

    if (!replay->cast)
        return;
    stop_cast(replay);
    wires_close(replay->parts.wires);
    fetcher_close(replay->parts.fetcher);
    store_close(world->store);
    alarms_close(world->alarms);
    uv_run(&replay->loop, UV_RUN_DEFAULT);
    zones_free(world->zones);
    locales_free(world->locales);
    world_forget(world);
    store_image_clear(&replay->image);
}

static void reload(struct replay *replay)
{
    struct settings *settings = load_settings(replay);
    struct error err = {0};

    if (!settings)
        return;
    stop_cast(replay);
    replay->cast = cast_new(settings, &replay->world, &replay->parts, &err);
    if (!replay->cast)
        fail(replay, "reload: %s", err.text);
    settle(replay);
}

/* --- A source that gives no answer
 * ------------------------------------------------------------------------------------ */

static struct source_request *silent_ask(struct source *source, const struct source_ask *asks, size_t count,
                                         source_answer_fn *done, void *ctx, struct error *err)
{
    (void)source, (void)asks, (void)count, (void)done, (void)ctx;
    error_set(err, ERROR_TRY_LATER, "the story's source gives no answer");
    return NULL;
}

static struct source_request *silent_walk(struct source *source, int64_t since_ms, source_walk_fn *done, void *ctx,
                                          struct error *err)
{
    (void)source, (void)since_ms, (void)done, (void)ctx;
    error_set(err, ERROR_TRY_LATER, "the story's source gives no answer");
    return NULL;
}

static void set_silent(struct replay *replay, bool silent)
{
    struct source *source = replay->world.sites[0].source;

    if (silent && source->ops != &replay->silent) {
        replay->answering = source->ops;
        replay->silent = *source->ops;
        replay->silent.ask = silent_ask;
        replay->silent.walk = silent_walk;
        source->ops = &replay->silent;
    } else if (!silent && source->ops == &replay->silent) {
        source->ops = replay->answering;
    }
}

/* --- The words of a story
 * ------------------------------------------------------------------------------------------------ */

struct words {
    const char *at[WORDS_MAX];
    size_t count;
};

/* "2027-03-26T09:00:00Z", "09:00:00" on the story's day, or "+5m" from now. */
static int64_t moment_of(struct replay *replay, const char *word)
{
    int64_t out_ms = 0;
    char text[40];

    if (*word == '+') {
        if (parse_span(text_of(word + 1), &out_ms, NULL) < 0)
            fail(replay, "no span: %s", word);
        return replay->now_ms + out_ms;
    }
    if (strlen(word) == 8 && word[2] == ':') {
        moment_text(replay->now_ms, text, sizeof text);
        snprintf(text + 11, sizeof text - 11, "%sZ", word);
        word = text;
    }
    if (moment_parse(text_of(word), &out_ms, NULL) < 0)
        fail(replay, "no moment: %s", word);
    return out_ms;
}

static struct told_definition *definition_of(struct replay *replay, const char *id)
{
    for (size_t i = 0; i < replay->definition_count; i++)
        if (strcmp(replay->definitions[i].id, id) == 0)
            return &replay->definitions[i];
    struct told_definition *fresh = &replay->definitions[replay->definition_count++];
    *fresh = (struct told_definition){.event = "festival", .status = "UPCOMING"};
    snprintf(fresh->id, sizeof fresh->id, "%s", id);
    snprintf(fresh->name, sizeof fresh->name, "%s", id);
    moment_text(replay->now_ms, fresh->created, sizeof fresh->created);
    return fresh;
}

static void set_definition(struct replay *replay, const struct words *words)
{
    struct told_definition *d = definition_of(replay, words->at[1]);
    const struct {
        const char *key;
        char *field;
        size_t size;
        bool moment;
    } keys[] = {
        {"start", d->start, sizeof d->start, true},          {"end", d->end, sizeof d->end, true},
        {"created", d->created, sizeof d->created, true},    {"event", d->event, sizeof d->event, false},
        {"status", d->status, sizeof d->status, false},      {"zone", d->zone, sizeof d->zone, false},
        {"soldout", d->sold_out, sizeof d->sold_out, false},
    };

    for (size_t i = 2; i < words->count; i++) {
        struct text value = text_of(words->at[i]), key = text_cut(&value, '=');
        bool known = text_is(key, "hidden") || text_is(key, "deleted");
        if (text_is(key, "hidden"))
            d->hidden = text_is(value, "yes");
        if (text_is(key, "deleted"))
            d->deleted = text_is(value, "yes");
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            if (text_is(key, keys[k].key)) {
                known = true;
                if (keys[k].moment && value.len > 0)
                    moment_text(moment_of(replay, value.ptr), keys[k].field, keys[k].size);
                else
                    snprintf(keys[k].field, keys[k].size, "%s", value.ptr);
            }
        if (!known)
            fail(replay, "unknown property %s", words->at[i]);
    }
    d->revision++;
    moment_text(replay->now_ms, d->updated, sizeof d->updated);
    write_definitions(replay);
}

static void set_person(struct replay *replay, const char *address, const char *status)
{
    size_t i = 0;

    while (i < replay->people_count && strcmp(replay->people[i].address, address) != 0)
        i++;
    if (i == replay->people_count)
        replay->people_count++;
    snprintf(replay->people[i].address, sizeof replay->people[i].address, "%s", address);
    snprintf(replay->people[i].status, sizeof replay->people[i].status, "%s", status);
}

static void forget_person(struct replay *replay, const char *address)
{
    for (size_t i = 0; i < replay->people_count; i++)
        if (strcmp(replay->people[i].address, address) == 0)
            replay->people[i--] = replay->people[--replay->people_count];
}

/* --- What a story expects
 * -------------------------------------------------------------------------------------------------- */

/* The only notice of a rule, or the one at an instant: "on-sale" or "on-sale@09:00:00". Highest edition. */
static struct notice *notice_of(struct replay *replay, const char *word)
{
    struct text rest = text_of(word), rule = text_cut(&rest, '@');
    const struct notices *notices = &replay->world.notices;
    struct notice *found = NULL;

    for (size_t i = 0; i < notices->count; i++) {
        if (!text_is(rule, notices->at[i]->rule))
            continue;
        if (rest.len > 0 && notices->at[i]->at_ms != moment_of(replay, rest.ptr))
            continue;
        found = notices->at[i];
    }
    if (!found)
        fail(replay, "there is no notice %s", word);
    return found;
}

static void list_notices(struct replay *replay)
{
    const struct notices *notices = &replay->world.notices;

    for (size_t i = 0; i < notices->count; i++) {
        const struct notice *n = notices->at[i];
        char at[40];
        moment_text(n->at_ms, at, sizeof at);
        fprintf(stderr, "    notice %lld %s@%s edition %d: %s (%s), %lld people, %lld accepted\n", (long long)n->id,
                n->rule, at, n->edition, notice_state_name(n->state), notice_reason_name(n->reason),
                (long long)n->tally.planned, (long long)n->tally.accepted);
    }
}

static int64_t messages(const struct replay *replay)
{
    int64_t sum = 0;

    for (size_t i = 0; i < replay->world.notices.count; i++)
        sum += replay->world.notices.at[i]->tally.accepted;
    return sum;
}

static void expect(struct replay *replay, const struct words *words)
{
    unsigned failures = replay->failures;

    if (words->count == 3 && strcmp(words->at[1], "messages") == 0) {
        if (messages(replay) != atoll(words->at[2]))
            fail(replay, "expected %s messages, there were %lld", words->at[2], (long long)messages(replay));
    } else if (words->count == 3 && strcmp(words->at[1], "notices") == 0) {
        size_t alive = 0;
        for (size_t i = 0; i < replay->world.notices.count; i++)
            alive += replay->world.notices.at[i]->state != NOTICE_WITHDRAWN;
        if (alive != (size_t)atoll(words->at[2]))
            fail(replay, "expected %s notices not withdrawn, there are %zu", words->at[2], alive);
    } else if (words->count >= 3) { /* expect RULE[@MOMENT] STATE [REASON ...] */
        struct notice *notice = notice_of(replay, words->at[1]);
        auto_buf struct buf reason;
        buf_init(&reason, 256);
        for (size_t i = 3; i < words->count; i++)
            buf_addf(&reason, "%s%s", i > 3 ? " " : "", words->at[i]);
        if (notice && strcmp(notice_state_name(notice->state), words->at[2]) != 0)
            fail(replay, "expected %s to be %s, it is %s", words->at[1], words->at[2],
                 notice_state_name(notice->state));
        if (notice && reason.len > 0 && !text_is(buf_text(&reason), notice_reason_name(notice->reason)))
            fail(replay, "expected the reason \"%s\", it is \"%s\"", reason.ptr, notice_reason_name(notice->reason));
    } else {
        fail(replay, "expect what?");
    }
    if (replay->failures > failures)
        list_notices(replay);
}

/* After every story the ledger is checked by code that shares nothing with the flow. */
static void audit(struct replay *replay)
{
    struct error err = {0};
    json_t *answer = store_report_now(replay->world.store, &(struct store_report){.kind = REPORT_AUDIT}, &err);
    size_t i;
    json_t *problem;

    if (!answer)
        fail(replay, "audit: %s", err.text);
    json_array_foreach(json_object_get(answer, "problems"), i, problem)
        fail(replay, "audit: %s", json_string_value(problem));
    json_decref(answer);
}

/* --- Telling
 * -------------------------------------------------------------------------------------------------------------------
 */

typedef int operator_fn(struct launches *launches, int64_t notice, struct error *err);

static int release_anyway(struct launches *launches, int64_t notice, struct error *err)
{
    return launch_release(launches, notice, true, err);
}

static int again(struct launches *launches, int64_t notice, struct error *err)
{
    int64_t fresh;

    return launch_again(launches, notice, &fresh, err);
}

static bool operate(struct replay *replay, const struct words *words)
{
    static const struct {
        const char *word;
        operator_fn *run;
    } operations[] = {{"hold", launch_hold}, {"cancel", launch_cancel}, {"release", release_anyway}, {"again", again}};
    struct error err = {0};

    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (strcmp(words->at[0], operations[i].word) == 0) {
            struct notice *notice = notice_of(replay, words->at[1]);
            if (notice && operations[i].run(replay->world.launches, notice->id, &err) < 0)
                fail(replay, "%s: %s", words->at[0], err.text);
            settle(replay);
            return true;
        }
    return false;
}

static void sync_all(struct replay *replay)
{
    for (size_t i = 0; i < replay->world.site_count; i++)
        sync_now(replay->world.sites[i].sync);
    advance(replay, replay->now_ms);
}

static void tell(struct replay *replay, const struct words *words)
{
    const char *word = words->at[0];
    struct error err = {0};

    if (strcmp(word, "now") == 0)
        replay->now_ms = moment_of(replay, words->at[1]);
    else if (strcmp(word, "define") == 0 || strcmp(word, "change") == 0)
        set_definition(replay, words);
    else if (strcmp(word, "person") == 0)
        set_person(replay, words->at[1], words->count > 2 ? words->at[2] : "subscribed"), write_people(replay);
    else if (strcmp(word, "forget") == 0)
        forget_person(replay, words->at[1]), write_people(replay);
    else if (strcmp(word, "start") == 0)
        begin(replay);
    else if (strcmp(word, "stop") == 0)
        end(replay);
    else if (strcmp(word, "reload") == 0)
        reload(replay);
    else if (strcmp(word, "silent") == 0 || strcmp(word, "answering") == 0)
        set_silent(replay, *word == 's');
    else if (strcmp(word, "until") == 0)
        advance(replay, moment_of(replay, words->at[1]));
    else if (strcmp(word, "sync") == 0)
        sync_all(replay);
    else if (strcmp(word, "pause") == 0 || strcmp(word, "resume") == 0) {
        if ((*word == 'p' ? launch_pause(replay->world.launches, "", "story", &err)
                          : launch_resume(replay->world.launches, "*", &err)) < 0)
            fail(replay, "%s: %s", word, err.text);
        settle(replay);
    } else if (strcmp(word, "expect") == 0)
        expect(replay, words);
    else if (!operate(replay, words))
        fail(replay, "unknown word %s", word);
}

/* "config" begins the configuration, "." ends it. FOLDER stands for the story's own folder. */
static void read_config(struct replay *replay, FILE *file)
{
    auto_buf struct buf yaml;
    char line[1024];

    buf_init(&yaml, 1 << 16);
    while (fgets(line, sizeof line, file) && strcmp(line, ".\n") != 0) {
        char *mark = strstr(line, "FOLDER");
        replay->line++;
        if (mark) {
            *mark = '\0';
            buf_addf(&yaml, "%s%s%s", line, replay->folder, mark + strlen("FOLDER"));
        } else {
            buf_adds(&yaml, line);
        }
    }
    replay->line++;
    write_file(replay, "onsale.yaml", buf_text(&yaml));
}

static void read_story(struct replay *replay, FILE *file)
{
    char line[1024];

    while (fgets(line, sizeof line, file)) {
        struct words words = {0};
        char *save = NULL;
        replay->line++;
        for (char *word = strtok_r(line, " \t\n", &save); word && *word != '#' && words.count < WORDS_MAX;
             word = strtok_r(NULL, " \t\n", &save))
            words.at[words.count++] = word;
        if (words.count == 0)
            continue;
        if (strcmp(words.at[0], "config") == 0)
            read_config(replay, file);
        else
            tell(replay, &words);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static unsigned play(const char *story)
{
    struct replay replay = {.story = story, .folder = "/tmp/replay-XXXXXX"};
    auto_file FILE *file = fopen(story, "r");

    if (!file || !mkdtemp(replay.folder)) {
        fprintf(stderr, "%s: cannot be read\n", story);
        return 1;
    }
    replay.clock = (struct clock){.wall_ms = story_clock, .mono_ms = story_clock, .ctx = &replay};
    log_init(&replay.log, getenv("REPLAY_LOG") ? LOG_DEBUG : LOG_ERROR);
    uv_loop_init(&replay.loop);
    write_definitions(&replay);
    write_people(&replay);
    read_story(&replay, file);
    if (replay.cast)
        audit(&replay);
    end(&replay);
    uv_loop_close(&replay.loop);
    nftw(replay.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return replay.failures;
}

int main(int argc, char **argv)
{
    unsigned failed = 0;

    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        const char *name = strrchr(argv[i], '/');
        bool fine = play(argv[i]) == 0;
        printf("%s %d - %s\n", fine ? "ok" : "not ok", i, name ? name + 1 : argv[i]);
        fflush(stdout);
        failed += !fine;
    }
    return failed > 0;
}
