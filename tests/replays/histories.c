/* histories.c - histories that nobody would write: tickets appear, move, hide and vanish, events are called off, people
 * come and go, lists get lost, the daemon is stopped, crashes and is steered, its clock is set wrong, receivers are
 * slow, refuse and fall silent, under rules and limits of any kind, in an order that a seed decides. After every step
 * the promises are checked (promises.c), in the end the audit, and that nothing is stuck and nobody was lost.
 *
 *     histories [COUNT [SEED]]
 *
 * A seed tells the same history again but for the jitter of retries and the timing of the machine. */
#include "history.h"

#include "launch.h"

#include <string.h>

enum { STEPS = 80 };

static uint64_t next_random(struct history *history) /* splitmix64 */
{
    uint64_t z = history->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

unsigned history_below(struct history *history, unsigned n)
{
    return (unsigned)(next_random(history) % n);
}

bool history_chance(struct history *history, unsigned percent)
{
    return history_below(history, 100) < percent;
}

void history_check(struct history *history, int result, const struct error *err)
{
    if (result < 0)
        replay_fail(&history->replay, "%s", err->text);
}

/* --- What may happen --- */

const char *history_any(struct history *history, const char *const *words, unsigned count)
{
    return words[history_below(history, count)];
}

/* Who is claimed has their turn when those before them have been answered: at most 20 s each. */
static void choose_limits(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    const char *doubt_max = ANY(history, "1", "2", "4", "50");
    int64_t in_hand_ms;

    stage->postman.window = 1 + history_below(history, 5);
    history->doubt_max = atoll(doubt_max);
    history->limits =
        (struct history_limits){doubt_max, ANY(history, "", "", ", deadline: 5m", ", deadline: 1h", ", rate: 30/min")};
    in_hand_ms = (history->doubt_max / stage->postman.window + 2) * 20 * SECOND_MS;
    if (in_hand_ms > history->in_hand_ms) /* of what was claimed before a reload, too */
        history->in_hand_ms = in_hand_ms;
}

/* Who is withdrawn or over leaves the calendar while somebody looks. */
static void choose_calendar(struct history *history)
{
    struct script *script = &history->replay.stage.script;

    snprintf(script->site, sizeof script->site, "poll_every: %s, feed: {keep: 1h, keep_past: %s, alarm: %s}",
             history->poll_every, ANY(history, "1h", "2h"), ANY(history, "10m", "10m", "10m", "1h"));
}

static int64_t any_slot(struct history *history)
{
    int64_t now_ms = history_true_ms(history);

    return now_ms - now_ms % HISTORY_SLOT_MS + (int64_t)history_below(history, 15) * HISTORY_SLOT_MS;
}

static void change_ticket(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    unsigned n = history_below(history, HISTORY_TICKETS);
    struct error err = {0};
    char id[16];

    snprintf(id, sizeof id, "t%u", n);
    struct shop_definition *ticket = shop_definition(&stage->shop, id, history_true_ms(history));
    snprintf(ticket->event, sizeof ticket->event, "e%u", n % HISTORY_EVENTS);
    if (ticket->revision == 0 || history_chance(history, 50))
        ticket->starts_at_ms = any_slot(history);
    else if (history_chance(history, 30))
        ticket->ends_at_ms = ticket->starts_at_ms + (1 + history_below(history, 12)) * HISTORY_SLOT_MS;
    else if (history_chance(history, 40))
        ticket->hidden = !ticket->hidden;
    else if (history_chance(history, 50))
        ticket->deleted = !ticket->deleted;
    else
        ticket->sold_out = !ticket->sold_out;
    shop_changed(ticket, history_true_ms(history));
    history->changed_at_ms[n % HISTORY_EVENTS] = history_true_ms(history);
    history_check(history, shop_write_definitions(&stage->shop, &err), &err);
}

static void change_event(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    unsigned n = history_below(history, HISTORY_EVENTS);
    struct error err = {0};
    char event[16];

    snprintf(event, sizeof event, "e%u", n);
    for (size_t i = 0; i < stage->shop.definition_count; i++) {
        struct shop_definition *ticket = &stage->shop.definitions[i];
        if (strcmp(ticket->event, event) == 0)
            snprintf(ticket->status, sizeof ticket->status, "%s",
                     strcmp(ticket->status, "UPCOMING") == 0 ? "CANCELED" : "UPCOMING");
    }
    history->changed_at_ms[n] = history_true_ms(history);
    history_check(history, shop_write_definitions(&stage->shop, &err), &err);
}

/* The list is gone for a while now and then: nobody is told what nobody could read. */
static void change_people(struct history *history)
{
    static const char *const words[] = {"subscribed", "subscribed", "unsubscribed", "bounced", NULL};
    struct stage *stage = &history->replay.stage;
    struct error err = {0};
    unsigned n = HISTORY_LOYAL + history_below(history, HISTORY_PEOPLE - HISTORY_LOYAL);
    const char *list = n < HISTORY_AT_THE_DOOR ? "fans" : "door";
    char address[64], path[128];

    if (history_chance(history, 15)) {
        snprintf(path, sizeof path, "%s/%s.csv", stage->folder, list);
        remove(path);
        return;
    }
    history_address(n, address);
    shop_person(&stage->shop, list, address, words[history_below(history, ARRAY_LEN(words))]);
    history_check(history, shop_write_people(&stage->shop, list, &err), &err);
}

static void change_suppression(struct history *history)
{
    unsigned n = HISTORY_LOYAL + history_below(history, HISTORY_PEOPLE - HISTORY_LOYAL);
    struct error err = {0};
    char address[64];

    if (history->erased_at_ms[n])
        return; /* to lift that is to call them back */
    history_address(n, address);
    bool lift = history->suppressed_at_ms[n] > 0;
    history_check(history, stage_suppress(&history->replay.stage, address, lift, &err), &err);
    history->suppressed_at_ms[n] = lift ? 0 : history_true_ms(history);
}

static void change_erased(struct history *history)
{
    unsigned n = HISTORY_LOYAL + history_below(history, HISTORY_PEOPLE - HISTORY_LOYAL);
    struct error err = {0};
    char address[64];

    history_address(n, address);
    history_check(history, stage_erase(&history->replay.stage, address, &err), &err);
    if (!history->erased_at_ms[n])
        history->erased_at_ms[n] = history_true_ms(history);
}

static void change_receivers(struct history *history)
{
    static const struct notifier_result answers[] = {
        {.fate = NOTIFIER_TRY_LATER, .code = 451, .text = "try later"},
        {.fate = NOTIFIER_TRY_LATER, .code = 450, .text = "busy", .retry_after_ms = 40 * SECOND_MS},
        {.fate = NOTIFIER_REFUSED, .code = 550, .text = "no such user"},
        {.fate = NOTIFIER_IN_DOUBT, .text = "the connection was lost"},
        {.fate = NOTIFIER_RETURNED, .scope = NOTIFIER_CHANNEL, .text = "not begun"},
        {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .text = "connection refused"},
        {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .code = 421, .retry_after_ms = NOTIFIER_SLOW_DOWN},
        {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .code = 421, .retry_after_ms = 20 * SECOND_MS},
    };
    static const struct notifier_result faulty = {
        .fate = NOTIFIER_REFUSED, .scope = NOTIFIER_MESSAGE, .code = 554, .text = "not with these words"};
    struct postman *postman = &history->replay.stage.postman;
    char address[64];

    history_address(HISTORY_LOYAL + history_below(history, HISTORY_PEOPLE - HISTORY_LOYAL), address);
    if (history_chance(history, 35))
        postman_be_kind(postman);
    else if (history_chance(history, 45))
        postman->latency_ms = (1 + history_below(history, 20)) * SECOND_MS;
    else if (history_chance(history, 10))
        postman_habit(postman, "*", &faulty, 1);
    else
        postman_habit(postman, address, &answers[history_below(history, ARRAY_LEN(answers))],
                      1 + history_below(history, 4));
}

static void change_answers(struct history *history)
{
    struct stage *stage = &history->replay.stage;

    if (history_chance(history, 40)) {
        stage->ear.status = history_chance(history, 60) ? 200 : history_chance(history, 50) ? 500 : 0;
        stage->ear.latency_ms = history_chance(history, 50) ? 0 : history_below(history, 10) * SECOND_MS;
        return;
    }
    stage->front.silent = !stage->front.silent && history_chance(history, 50);
    if (!stage->front.silent)
        snprintf(stage->front.missing, sizeof stage->front.missing, "t%u", history_below(history, HISTORY_TICKETS));
}

void history_restart(struct history *history, int64_t down_ms)
{
    struct stage *stage = &history->replay.stage;
    struct error err = {0};

    if (history_chance(history, 50))
        history_check(history, stage_crash(stage, &err), &err);
    else
        stage_end(stage, 30 * SECOND_MS);
    stage_advance(stage, stage->now_ms + down_ms);
    history_check(history, stage_begin(stage, &err), &err);
    history_started(history);
}

static void change_daemon(struct history *history)
{
    struct error err = {0};

    if (history_chance(history, 50)) {
        history_restart(history, history_below(history, 10 * MINUTE_MS));
        return;
    }
    choose_limits(history);
    choose_calendar(history);
    history_write_rules(history);
    history_check(history, stage_reload(&history->replay.stage, &err), &err);
}

/* By seconds, by what is noticed, by days; at most one wrong at a time, and then right again. */
static void change_clock(struct history *history)
{
    static const int64_t steps_ms[] = {2 * SECOND_MS,  40 * SECOND_MS, 4 * MINUTE_MS,
                                       20 * MINUTE_MS, 3 * HOUR_MS,    2 * DAY_MS};
    struct stage *stage = &history->replay.stage;
    int64_t step_ms = steps_ms[history_below(history, ARRAY_LEN(steps_ms))];

    if (stage->stepped_ms != 0)
        step_ms = -stage->stepped_ms;
    else if (history_chance(history, 50))
        step_ms = -step_ms;
    stage_step(stage, step_ms);
}

static void choose_target(struct history *history, char out[32])
{
    const struct notices *notices = &history->replay.stage.world.notices;

    snprintf(out, 32, "%s", ANY(history, "", "", "notifier:mail", "notifier:post"));
    if (notices->count > 0 && history_chance(history, 50))
        snprintf(out, 32, "notice:%lld", (long long)notices->at[history_below(history, (unsigned)notices->count)]->id);
}

/* One thing at a time, so that whoever looks knows what may not leave. */
static void change_pause(struct history *history)
{
    struct launches *launches = history->replay.stage.world.launches;
    struct error err = {0};
    bool pause = history->paused_at_ms == 0 && history_chance(history, 70);

    if (pause)
        choose_target(history, history->paused);
    struct store_job *job = pause ? launch_pause(launches, history->paused, "history", NULL, NULL, &err)
                                  : launch_resume(launches, "*", "history", NULL, NULL, &err);
    if (!job && pause)
        return; /* a notice that has ended */
    history_check(history, job ? 0 : -1, &err);
    history->paused_at_ms = pause ? history_true_ms(history) : 0;
}

static void on_retried(void *ctx, int64_t count, const struct error *failure)
{
    *(int64_t *)ctx = failure ? -1 : count;
}

/* Refused ones, and who came too late; those in doubt may have it, and a person would have to want that. */
static void retry(struct history *history, struct notice *notice)
{
    struct stage *stage = &history->replay.stage;
    const char *channel = notice->course->channel;
    struct store_retry what = {.channel = channel ? channel : "mail", .notice = notice->id, .now_ms = stage->now_ms};
    struct error err = {0};
    int64_t count = 0;

    what.fate = history_chance(history, 50) ? FATE_REFUSED : FATE_WITHHELD;
    what.code = what.fate == FATE_REFUSED ? 550 : 0;
    if (what.fate == FATE_WITHHELD)
        what.withheld = history_chance(history, 50) ? WITHHELD_EXPIRED : WITHHELD_ATTEMPTS;
    if (launch_may_retry(stage->world.launches, notice->id, what.fate, what.withheld, &err) < 0)
        return;
    store_retry(stage->world.store, &what, on_retried, &count);
    stage_settle(stage);
    if (count > 0)
        history_check(history, launch_retried(stage->world.launches, notice->id, what.fate, count, &err), &err);
}

/* It lifts a pause of the notice, too. */
static void release(struct history *history, const struct notice *notice, bool anyway)
{
    char own[32];
    struct error err = {0};

    if (launch_release(history->replay.stage.world.launches, notice->id, anyway, &err) < 0)
        return;
    snprintf(own, sizeof own, "notice:%lld", (long long)notice->id);
    if (strcmp(history->paused, own) == 0)
        history->paused_at_ms = 0;
}

/* Most of it is refused, and that is fine. */
static void steer(struct history *history)
{
    struct world *world = &history->replay.stage.world;
    struct error err = {0};
    int64_t edition;

    if (world->notices.count == 0)
        return;
    struct notice *notice = world->notices.at[history_below(history, (unsigned)world->notices.count)];
    switch (history_below(history, 10)) {
    case 0:
    case 1:
    case 2:
        launch_hold(world->launches, notice->id, &err);
        break;
    case 3:
    case 4:
    case 5:
        release(history, notice, false);
        break;
    case 6:
        release(history, notice, true);
        break;
    case 7:
        launch_cancel(world->launches, notice->id, &err);
        break;
    case 8:
        launch_again(world->launches, notice->id, &edition, &err);
        break;
    default:
        retry(history, notice);
    }
}

static void happen(struct history *history)
{
    static const struct {
        unsigned weight;
        void (*change)(struct history *history);
    } changes[] = {{28, change_ticket}, {4, change_event},     {9, change_people},  {6, change_suppression},
                   {2, change_erased},  {9, change_receivers}, {5, change_answers}, {9, change_daemon},
                   {5, change_clock},   {5, change_pause},     {10, steer},         {8, history_change_rules}};
    unsigned at = history_below(history, 100);

    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        if (at < changes[i].weight) {
            changes[i].change(history);
            break;
        }
        at -= changes[i].weight;
    }
    stage_advance(&history->replay.stage, history->replay.stage.now_ms);
}

/* --- One history --- */

static void write_lists(struct history *history)
{
    const struct shop *shop = &history->replay.stage.shop;
    struct error err = {0};

    history_check(history, shop_write_people(shop, "fans", &err), &err);
    history_check(history, shop_write_people(shop, "door", &err), &err);
}

static void set_the_scene(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    struct error err = {0};

    stage->now_ms = civil_to_ms((struct civil){.year = 2027, .month = 3, .day = 26, .hour = 6});
    stage->front.dated = true;
    history_choose_rules(history);
    choose_limits(history);
    history_write_rules(history);
    stage->script.webhook = true;
    history->poll_every = ANY(history, "10s", "1m", "5m");
    choose_calendar(history);
    script_audience(&stage->script, "fans");
    script_audience(&stage->script, "door");
    for (unsigned n = 0; n < HISTORY_PEOPLE; n++) {
        char address[64];
        history_address(n, address);
        if (n < HISTORY_AT_THE_DOOR)
            shop_person(&stage->shop, "fans", address, "subscribed");
        if (n < HISTORY_LOYAL || n >= HISTORY_AT_THE_DOOR)
            shop_person(&stage->shop, "door", address, "subscribed");
    }
    write_lists(history);
    history_check(history, stage_begin(stage, &err), &err);
}

/* Everybody is kind in the end, and there is time for all of it. */
static void come_to_rest(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    struct error err = {0};

    postman_be_kind(&stage->postman);
    stage->front.silent = false;
    stage->ear.status = 200;
    stage->ear.latency_ms = 0;
    write_lists(history);
    stage_step(stage, -stage->stepped_ms);
    launch_resume(stage->world.launches, "*", "history", NULL, NULL, &err);
    history->paused_at_ms = 0;
    stage_advance(stage, stage->now_ms + HISTORY_AFTERWARDS_MS);
    store_webhook_enable(stage->world.store, "ear", NULL, NULL); /* what is still waiting is told now */
    stage_settle(stage);
    webhooks_look(stage->world.webhooks);
    stage_advance(stage, stage->now_ms + MINUTE_MS);
    history_watch(history);
}

static void pass_time(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    unsigned most_ms = history_chance(history, 40) ? 30 * SECOND_MS : 6 * MINUTE_MS;

    stage_advance(stage, stage->now_ms + history_below(history, most_ms));
    history_watch(history);
}

static unsigned live(uint64_t seed)
{
    char name[64];
    struct history history = {.replay = {.story = name}, .seed = seed, .state = seed};
    struct replay *replay = &history.replay;
    struct error err = {0};

    snprintf(name, sizeof name, "seed %llu", (unsigned long long)seed);
    if (stage_init(&replay->stage, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    set_the_scene(&history);
    while (replay->line < STEPS && replay->failures == 0) {
        replay->line++;
        happen(&history);
        pass_time(&history);
    }
    if (replay->failures == 0) {
        come_to_rest(&history);
        history_look_back(&history);
    }
    if (replay->failures > 0)
        replay_list(replay);
    printf("# %zu messages of %zu notices\n", replay->stage.postman.letter_count, replay->stage.world.notices.count);
    history_clear(&history);
    return replay->failures;
}

int main(int argc, char **argv)
{
    int64_t histories = argc > 1 ? atoll(argv[1]) : 1;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : crypt_random_u64() % 1000000;
    unsigned failed = 0;

    printf("1..%lld\n", (long long)histories);
    for (int64_t i = 0; i < histories; i++) {
        bool fine = live(seed + (uint64_t)i) == 0;
        printf("%s %lld - seed %llu\n", fine ? "ok" : "not ok", (long long)i + 1,
               (unsigned long long)(seed + (uint64_t)i));
        fflush(stdout);
        failed += !fine;
    }
    return failed > 0;
}
