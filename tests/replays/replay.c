/* replay.c - tells a story to the real flow: real configuration, real store, real file source and audience, a notifier
 * that does as told, and a clock that only the story moves. One text file per story; stories/README lists the words. */
#include "words.h"

#include "launch.h"
#include "sync.h"

#include <glob.h>
#include <string.h>

static void check(struct replay *replay, int result, const struct error *err)
{
    if (result < 0)
        replay_fail(replay, "%s", err->text);
}

/* --- The shop and the marketing tool --- */

static void tell_now(struct replay *replay, const struct words *words)
{
    replay->stage.now_ms = replay_moment(replay, words->at[1]);
}

static void tell_define(struct replay *replay, const struct words *words)
{
    struct stage *stage = &replay->stage;
    struct shop_definition *definition = shop_definition(&stage->shop, words->at[1], stage->now_ms);
    struct error err = {0};

    for (size_t i = 2; i < words->count; i++)
        check(replay, shop_set(definition, text_of(words->at[i]), stage->now_ms, &err), &err);
    shop_changed(definition, stage->now_ms);
    check(replay, shop_write_definitions(&stage->shop, &err), &err);
}

/* many 300 show start=09:00:00: show-1 to show-300, each of an event of its own */
static void tell_many(struct replay *replay, const struct words *words)
{
    struct stage *stage = &replay->stage;
    struct error err = {0};

    for (int64_t n = 1, count = replay_number(replay, words->at[1]); n <= count; n++) {
        char id[64];
        snprintf(id, sizeof id, "%s-%lld", words->at[2], (long long)n);
        struct shop_definition *definition = shop_definition(&stage->shop, id, stage->now_ms);
        snprintf(definition->event, sizeof definition->event, "%s", id);
        for (size_t i = 3; i < words->count; i++)
            check(replay, shop_set(definition, text_of(words->at[i]), stage->now_ms, &err), &err);
        shop_changed(definition, stage->now_ms);
    }
    check(replay, shop_write_definitions(&stage->shop, &err), &err);
}

/* person ADDRESS [STATUS] [AUDIENCE] */
static void tell_person(struct replay *replay, const struct words *words)
{
    const char *audience = words->count > 3 ? words->at[3] : "fans";
    struct error err = {0};

    shop_person(&replay->stage.shop, audience, words->at[1], words->count > 2 ? words->at[2] : "subscribed");
    check(replay, shop_write_people(&replay->stage.shop, audience, &err), &err);
}

/* crowd N [AUDIENCE [DOMAIN]] */
static void tell_crowd(struct replay *replay, const struct words *words)
{
    const char *audience = words->count > 2 ? words->at[2] : "fans",
               *domain = words->count > 3 ? words->at[3] : "example.org";
    struct error err = {0};

    for (int64_t n = 1, count = replay_number(replay, words->at[1]); n <= count; n++) {
        char address[128];
        snprintf(address, sizeof address, "fan%lld@%s", (long long)n, domain);
        shop_person(&replay->stage.shop, audience, address, "subscribed");
    }
    check(replay, shop_write_people(&replay->stage.shop, audience, &err), &err);
}

/* forget ADDRESS [AUDIENCE]: no longer in the export */
static void tell_forget(struct replay *replay, const struct words *words)
{
    const char *audience = words->count > 2 ? words->at[2] : "fans";
    struct error err = {0};

    shop_person(&replay->stage.shop, audience, words->at[1], NULL);
    check(replay, shop_write_people(&replay->stage.shop, audience, &err), &err);
}

/* lose AUDIENCE: the export is not there any more; the next person written brings it back */
static void tell_lose(struct replay *replay, const struct words *words)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s.csv", replay->stage.folder, words->at[1]);
    if (remove(path) < 0)
        replay_fail(replay, "%s was not there", words->at[1]);
}

static void tell_missing(struct replay *replay, const struct words *words)
{
    snprintf(replay->stage.front.missing, sizeof replay->stage.front.missing, "%s", words->at[1]);
}

/* silent [walks], answering, dated */
static void tell_silent(struct replay *replay, const struct words *words)
{
    replay->stage.front.silent = words->count == 1;
    replay->stage.front.walks_silent = words->count > 1;
}

static void tell_answering(struct replay *replay, const struct words *words)
{
    (void)words;
    replay->stage.front.silent = replay->stage.front.walks_silent = false;
}

static void tell_dated(struct replay *replay, const struct words *words)
{
    (void)words;
    replay->stage.front.dated = true;
}

/* --- The configuration --- */

static void tell_rule(struct replay *replay, const struct words *words)
{
    if (script_rule(&replay->stage.script, words->line) < 0)
        replay_fail(replay, "too many rules");
}

static void tell_no_rule(struct replay *replay, const struct words *words)
{
    script_drop_rule(&replay->stage.script, words->at[1]);
}

static void tell_audience(struct replay *replay, const struct words *words)
{
    struct error err = {0};

    if (script_audience(&replay->stage.script, words->at[1]) < 0)
        replay_fail(replay, "too many audiences");
    check(replay, shop_write_people(&replay->stage.shop, words->at[1], &err), &err);
}

static void tell_site(struct replay *replay, const struct words *words)
{
    snprintf(replay->stage.script.site, sizeof replay->stage.script.site, "%s", words->line);
}

static void tell_notifier(struct replay *replay, const struct words *words)
{
    snprintf(replay->stage.script.notifier, sizeof replay->stage.script.notifier, "%s", words->line);
}

/* beside NAME[, KEY: VALUE ...]: a second notifier; without a word it is gone again */
static void tell_beside(struct replay *replay, const struct words *words)
{
    snprintf(replay->stage.script.beside, sizeof replay->stage.script.beside, "%s",
             words->count > 1 ? words->line : "");
}

/* listen [STATUS]: another program is told of everything, and answers so; 0: not at all */
static void tell_listen(struct replay *replay, const struct words *words)
{
    replay->stage.script.webhook = true;
    replay->stage.ear.status = words->count > 1 ? (int)replay_number(replay, words->at[1]) : 200;
}

/* --- The daemon and the time --- */

static void tell_start(struct replay *replay, const struct words *words)
{
    struct error err = {0};

    (void)words;
    check(replay, stage_begin(&replay->stage, &err), &err);
}

static void tell_stop(struct replay *replay, const struct words *words)
{
    (void)words;
    replay_audit(replay);
    stage_end(&replay->stage, 30 * SECOND_MS);
}

static void tell_crash(struct replay *replay, const struct words *words)
{
    struct error err = {0};

    (void)words;
    check(replay, stage_crash(&replay->stage, &err), &err);
}

static void tell_restart(struct replay *replay, const struct words *words)
{
    tell_stop(replay, words);
    tell_start(replay, words);
}

static void tell_reload(struct replay *replay, const struct words *words)
{
    struct error err = {0};

    (void)words;
    check(replay, stage_reload(&replay->stage, &err), &err);
}

static void tell_until(struct replay *replay, const struct words *words)
{
    stage_advance(&replay->stage, replay_moment(replay, words->at[1]));
}

static void tell_sync(struct replay *replay, const struct words *words)
{
    for (int64_t n = words->count > 1 ? replay_number(replay, words->at[1]) : 1; n > 0; n--)
        stage_sync(&replay->stage);
}

/* step +1h, step -1h */
static void tell_step(struct replay *replay, const struct words *words)
{
    stage_step(&replay->stage, replay_moment(replay, words->at[1]) - replay->stage.now_ms);
}

/* --- The receivers --- */

/* post WORD ADDRESS [CODE] [TIMES]; a throttle has a SPAN, or "-", instead of a code */
static void tell_answer(struct replay *replay, const struct words *words)
{
    static const struct {
        const char *word;
        struct notifier_result answer;
    } answers[] = {
        {"accept", {.fate = NOTIFIER_ACCEPTED, .code = 250}},
        {"refuse",
         {.fate = NOTIFIER_REFUSED, .scope = NOTIFIER_ADDRESS, .code = 550, .text = "fan2@example.org: no such user"}},
        {"later", {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_ADDRESS, .code = 451, .text = "try later"}},
        {"doubt", {.fate = NOTIFIER_IN_DOUBT, .scope = NOTIFIER_CHANNEL, .text = "lost before the answer"}},
        {"blame", {.fate = NOTIFIER_REFUSED, .scope = NOTIFIER_MESSAGE, .code = 554, .text = "looks like spam"}},
        {"down", {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .text = "connection refused"}},
        {"throttle",
         {.fate = NOTIFIER_TRY_LATER,
          .scope = NOTIFIER_CHANNEL,
          .code = 421,
          .text = "4.7.0 slow down",
          .retry_after_ms = NOTIFIER_SLOW_DOWN}},
    };
    struct postman *postman = &replay->stage.postman;
    int64_t times = words->count > 4 ? replay_number(replay, words->at[4]) : -1;
    struct error err = {0};
    size_t i = 0;

    while (i < ARRAY_LEN(answers) && strcmp(words->at[1], answers[i].word) != 0)
        i++;
    if (words->count < 3 || (i == ARRAY_LEN(answers) && strcmp(words->at[1], "hang") != 0)) {
        replay_fail(replay, "post %s what?", words->at[1]);
    } else if (i == ARRAY_LEN(answers)) {
        postman_hang(postman, words->at[2], times);
    } else {
        struct notifier_result answer = answers[i].answer;
        if (words->count > 3 && answer.retry_after_ms == 0)
            answer.code = (int)replay_number(replay, words->at[3]);
        else if (words->count > 3 && strcmp(words->at[3], "-") != 0)
            check(replay, parse_span(text_of(words->at[3]), &answer.retry_after_ms, &err), &err);
        postman_habit(postman, words->at[2], &answer, times);
    }
}

/* post slow SPAN; post window N; post kind; or an answer */
static void tell_post(struct replay *replay, const struct words *words)
{
    struct postman *postman = &replay->stage.postman;
    struct error err = {0};

    if (strcmp(words->at[1], "kind") == 0)
        postman_be_kind(postman);
    else if (words->count < 3)
        replay_fail(replay, "post %s what?", words->at[1]);
    else if (strcmp(words->at[1], "slow") == 0)
        check(replay, parse_span(text_of(words->at[2]), &postman->latency_ms, &err), &err);
    else if (strcmp(words->at[1], "window") == 0)
        postman->window = replay_number(replay, words->at[2]);
    else
        tell_answer(replay, words);
}

/* never before T */
static void tell_never(struct replay *replay, const struct words *words)
{
    replay->stage.postman.never_before_ms = replay_moment(replay, words->at[2]);
}

/* --- Operators --- */

static int release_anyway(struct launches *launches, int64_t notice, struct error *err)
{
    return launch_release(launches, notice, true, err);
}

static int release(struct launches *launches, int64_t notice, struct error *err)
{
    return launch_release(launches, notice, false, err);
}

static int again(struct launches *launches, int64_t notice, struct error *err)
{
    int64_t fresh;

    return launch_again(launches, notice, &fresh, err);
}

/* hold, release, release-anyway, cancel, again NOTICE */
static void tell_operator(struct replay *replay, const struct words *words)
{
    static const struct {
        const char *word;
        int (*run)(struct launches *launches, int64_t notice, struct error *err);
    } operations[] = {{"hold", launch_hold},
                      {"cancel", launch_cancel},
                      {"release", release},
                      {"release-anyway", release_anyway},
                      {"again", again}};
    struct notice *notice = replay_notice(replay, words->at[1]);
    struct error err = {0};

    for (size_t i = 0; notice && i < ARRAY_LEN(operations); i++)
        if (strcmp(words->at[0], operations[i].word) == 0)
            check(replay, operations[i].run(replay->stage.world.launches, notice->id, &err), &err);
    stage_advance(&replay->stage, replay->stage.now_ms);
}

static void on_retried(void *ctx, int64_t count, const struct error *failure)
{
    struct replay *replay = ctx;

    if (failure || count == 0)
        replay_fail(replay, "retry: %s", failure ? failure->text : "nobody");
    replay->retried = failure ? 0 : count;
}

static bool read_retry(struct replay *replay, const struct words *words, struct store_retry *what)
{
    const char *whom = words->at[2], *reason = strstr(words->line, "withheld ");
    unsigned failures = replay->failures;

    if (strcmp(whom, "refused") == 0 && words->count == 4) {
        what->fate = FATE_REFUSED;
        what->code = (int)replay_number(replay, words->at[3]);
    } else if (strcmp(whom, "doubt") == 0 && words->count == 3) {
        what->fate = FATE_IN_DOUBT;
    } else if (strcmp(whom, "withheld") == 0 && reason) {
        what->fate = FATE_WITHHELD;
        for (enum withheld i = WITHHELD_NONE + 1; i < WITHHELD_REASONS; i++)
            if (strcmp(withheld_name(i), reason + strlen("withheld ")) == 0)
                what->withheld = i;
    }
    if (what->fate == FATE_REFUSED || what->fate == FATE_IN_DOUBT || what->withheld != WITHHELD_NONE)
        return replay->failures == failures;
    replay_fail(replay, "retry whom? refused CODE, doubt, or withheld REASON");
    return false;
}

/* retry NOTICE refused CODE; retry NOTICE doubt; retry NOTICE withheld REASON ...: as the API does it */
static void tell_retry(struct replay *replay, const struct words *words)
{
    struct world *world = &replay->stage.world;
    struct notice *notice = replay_notice(replay, words->at[1]);
    struct store_retry what = {.channel = "mail", .now_ms = replay->stage.now_ms};
    struct error err = {0};

    if (!notice || !read_retry(replay, words, &what))
        return;
    what.notice = notice->id;
    if (notice->course->channel)
        what.channel = notice->course->channel;
    if (launch_may_retry(world->launches, notice->id, what.fate, what.withheld, &err) < 0) {
        replay_fail(replay, "%s", err.text);
        return;
    }
    replay->retried = 0;
    store_retry(world->store, &what, on_retried, replay);
    stage_settle(&replay->stage);
    if (replay->retried > 0)
        check(replay, launch_retried(world->launches, notice->id, what.fate, replay->retried, &err), &err);
    stage_advance(&replay->stage, replay->stage.now_ms);
}

/* refused WORD NOTICE, refused reload: the operation is not possible */
static void tell_refused(struct replay *replay, const struct words *words)
{
    bool reload = strcmp(words->at[1], "reload") == 0;
    struct notice *notice = !reload && words->count > 2 ? replay_notice(replay, words->at[2]) : NULL;
    struct error err = {0};
    int rc = 0;

    if (reload)
        rc = stage_reload(&replay->stage, &err);
    else if (notice && strcmp(words->at[1], "release") == 0)
        rc = launch_release(replay->stage.world.launches, notice->id, false, &err);
    else if (notice && strcmp(words->at[1], "cancel") == 0)
        rc = launch_cancel(replay->stage.world.launches, notice->id, &err);
    else if (notice && strcmp(words->at[1], "again") == 0)
        rc = again(replay->stage.world.launches, notice->id, &err);
    else if (notice && strcmp(words->at[1], "retry") == 0)
        rc = launch_may_retry(replay->stage.world.launches, notice->id, FATE_REFUSED, WITHHELD_NONE, &err);
    if (rc == 0)
        replay_fail(replay, "expected %s to be refused", words->at[1]);
}

/* pause [NOTICE], resume [NOTICE]: without one, everything */
static void tell_pause(struct replay *replay, const struct words *words)
{
    bool pause = *words->at[0] == 'p';
    char target[32] = "";
    struct notice *notice = words->count > 1 ? replay_notice(replay, words->at[1]) : NULL;
    struct launches *launches = replay->stage.world.launches;
    struct error err = {0};

    if (notice)
        snprintf(target, sizeof target, "notice:%lld", (long long)notice->id);
    else if (!pause)
        snprintf(target, sizeof target, "*");
    check(replay, (pause ? launch_pause : launch_resume)(launches, target, "story", NULL, NULL, &err) ? 0 : -1, &err);
    stage_advance(&replay->stage, replay->stage.now_ms);
}

static void tell_suppress(struct replay *replay, const struct words *words)
{
    struct error err = {0};

    check(replay, stage_suppress(&replay->stage, words->at[1], *words->at[0] == 'u', &err), &err);
}

static void tell_erase(struct replay *replay, const struct words *words)
{
    struct error err = {0};

    check(replay, stage_erase(&replay->stage, words->at[1], &err), &err);
}

/* --- Telling --- */

static void tell_audit(struct replay *replay, const struct words *words)
{
    (void)words;
    replay_audit(replay);
}

static void tell(struct replay *replay, const struct words *words)
{
    static const struct {
        const char *word;
        size_t least; /* words, with the first */
        bool daemon;  /* needs it running */
        void (*tell)(struct replay *replay, const struct words *words);
    } table[] = {
        {"now", 2, false, tell_now},
        {"define", 2, false, tell_define},
        {"change", 3, false, tell_define},
        {"many", 4, false, tell_many},
        {"person", 2, false, tell_person},
        {"crowd", 2, false, tell_crowd},
        {"forget", 2, false, tell_forget},
        {"lose", 2, false, tell_lose},
        {"missing", 2, false, tell_missing},
        {"silent", 1, false, tell_silent},
        {"answering", 1, false, tell_answering},
        {"dated", 1, false, tell_dated},
        {"rule", 2, false, tell_rule},
        {"no-rule", 2, false, tell_no_rule},
        {"audience", 2, false, tell_audience},
        {"site", 2, false, tell_site},
        {"notifier", 2, false, tell_notifier},
        {"beside", 1, false, tell_beside},
        {"listen", 1, false, tell_listen},
        {"start", 1, false, tell_start},
        {"stop", 1, true, tell_stop},
        {"crash", 1, true, tell_crash},
        {"restart", 1, true, tell_restart},
        {"reload", 1, true, tell_reload},
        {"until", 2, false, tell_until},
        {"sync", 1, true, tell_sync},
        {"step", 2, false, tell_step},
        {"post", 2, false, tell_post},
        {"never", 3, false, tell_never},
        {"hold", 2, true, tell_operator},
        {"cancel", 2, true, tell_operator},
        {"release", 2, true, tell_operator},
        {"release-anyway", 2, true, tell_operator},
        {"again", 2, true, tell_operator},
        {"retry", 3, true, tell_retry},
        {"refused", 2, true, tell_refused},
        {"pause", 1, true, tell_pause},
        {"resume", 1, true, tell_pause},
        {"suppress", 2, true, tell_suppress},
        {"unsuppress", 2, true, tell_suppress},
        {"erase", 2, true, tell_erase},
        {"audit", 1, true, tell_audit},
        {"expect", 3, false, replay_expect},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(words->at[0], table[i].word) != 0)
            continue;
        if (words->count < table[i].least || (table[i].daemon && !replay->stage.cast))
            replay_fail(replay, words->count < table[i].least ? "%s what?" : "%s: nothing runs", words->at[0]);
        else
            table[i].tell(replay, words);
        replay_watch(replay);
        return;
    }
    replay_fail(replay, "unknown word %s", words->at[0]);
}

/* "config" begins a whole configuration, "." ends it. */
static void read_config(struct replay *replay, FILE *file)
{
    char line[1024];

    buf_reset(&replay->stage.script.whole);
    while (fgets(line, sizeof line, file)) {
        replay->line++;
        if (strcmp(line, ".\n") == 0)
            return;
        buf_adds(&replay->stage.script.whole, line);
    }
    replay_fail(replay, "the configuration has no end: a dot alone on its line");
}

static void read_story(struct replay *replay, FILE *file)
{
    char line[1024], whole[1024];

    while (fgets(line, sizeof line, file)) {
        struct words words = {.line = whole};
        char *save = NULL;
        replay->line++;
        if (!strchr(line, '\n') && !feof(file))
            replay_fail(replay, "a line of more than %zu bytes", sizeof line - 1);
        line[strcspn(line, "\n")] = '\0';
        snprintf(whole, sizeof whole, "%s", line + strcspn(line, " \t") + (strpbrk(line, " \t") != NULL));
        for (char *word = strtok_r(line, " \t", &save); word && *word != '#'; word = strtok_r(NULL, " \t", &save))
            if (words.count < WORDS_MAX)
                words.at[words.count++] = word;
            else
                replay_fail(replay, "more than %d words", WORDS_MAX);
        if (words.count == 0)
            continue;
        if (strcmp(words.at[0], "config") == 0)
            read_config(replay, file);
        else
            tell(replay, &words);
    }
}

static unsigned play(const char *story)
{
    struct replay replay = {.story = story};
    auto_file FILE *file = fopen(story, "re");
    struct error err = {0};

    if (!file || stage_init(&replay.stage, &err) < 0) {
        fprintf(stderr, "%s: cannot be read %s\n", story, err.text);
        return 1;
    }
    read_story(&replay, file);
    replay_audit(&replay);
    stage_clear(&replay.stage);
    return replay.failures;
}

static void find_stories(const char *path, glob_t *found)
{
    char pattern[4096];

    snprintf(pattern, sizeof pattern, "%s%s", path, text_matches(text_of(path), "*.story") ? "" : "/*.story");
    glob(pattern, found->gl_pathc > 0 ? GLOB_APPEND : 0, NULL, found);
}

/* Stories, or folders of them. */
int main(int argc, char **argv)
{
    glob_t stories = {0};
    unsigned failed = 0;

    for (int i = 1; i < argc; i++)
        find_stories(argv[i], &stories);
    printf("1..%zu\n", stories.gl_pathc);
    for (size_t i = 0; i < stories.gl_pathc; i++) {
        const char *name = strrchr(stories.gl_pathv[i], '/');
        bool fine = play(stories.gl_pathv[i]) == 0;
        printf("%s %zu - %s\n", fine ? "ok" : "not ok", i + 1, name ? name + 1 : stories.gl_pathv[i]);
        fflush(stdout);
        failed += !fine;
    }
    globfree(&stories);
    return failed > 0 || stories.gl_pathc == 0;
}
