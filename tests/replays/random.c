/* random.c - histories that nobody would write: tickets appear, move, hide and vanish, events are called off, people
 * come and go, the daemon is stopped, crashes and is steered, receivers are slow, in an order that a seed decides.
 * After every step the promises are checked, in the end the audit, and that nothing is stuck and nobody was lost.
 *
 *     random [HISTORIES [SEED]]
 *
 * A seed tells the same history again but for the jitter of retries and the timing of the machine. */
#include "words.h"

#include "launch.h"

#include <string.h>

enum {
    STEPS = 80,
    EVENTS = 3,
    TICKETS = 9, /* three of each event */
    PEOPLE = 12,
    LOYAL = 3,                    /* the first ones never leave, and are never refused */
    SLOT_MS = 5 * MINUTE_MS,      /* sales begin and end at such instants, so that they meet */
    EVIDENCE_MS = 61 * SECOND_MS, /* what the site said is believed so long */
    IN_HAND_MS = 45 * SECOND_MS,  /* who was claimed by then has the message by now: two at a time, 20 s each */
    AFTERWARDS_MS = 8 * HOUR_MS,  /* by then everything has ended */
};

struct history {
    struct replay replay;
    uint64_t seed, state;
    bool paused, silent;
    bool suppressed[PEOPLE];
    int64_t erased_at_ms[PEOPLE];  /* 0: not */
    int64_t changed_at_ms[EVENTS]; /* last change of an event's tickets */
    size_t seen;                   /* letters looked at */
    int64_t looked_at_ms;          /* releases up to then were */
};

static uint64_t next_random(struct history *history) /* splitmix64 */
{
    uint64_t z = history->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned below(struct history *history, unsigned n)
{
    return (unsigned)(next_random(history) % n);
}

static bool chance(struct history *history, unsigned percent)
{
    return below(history, 100) < percent;
}

static void check(struct history *history, int result, const struct error *err)
{
    if (result < 0)
        replay_fail(&history->replay, "%s", err->text);
}

static void person_name(unsigned n, char out[64])
{
    snprintf(out, 64, "fan%u@example.org", n);
}

/* --- What may happen --- */

static int64_t any_slot(struct history *history)
{
    int64_t now_ms = history->replay.stage.now_ms;

    return now_ms - now_ms % SLOT_MS + (int64_t)below(history, 15) * SLOT_MS;
}

static void change_ticket(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    unsigned n = below(history, TICKETS);
    struct error err = {0};
    char id[16];

    snprintf(id, sizeof id, "t%u", n);
    struct shop_definition *ticket = shop_definition(&stage->shop, id, stage->now_ms);
    snprintf(ticket->event, sizeof ticket->event, "e%u", n % EVENTS);
    if (ticket->revision == 0 || chance(history, 50))
        ticket->starts_at_ms = any_slot(history);
    else if (chance(history, 30))
        ticket->ends_at_ms = ticket->starts_at_ms + (1 + below(history, 12)) * SLOT_MS;
    else if (chance(history, 40))
        ticket->hidden = !ticket->hidden;
    else if (chance(history, 50))
        ticket->deleted = !ticket->deleted;
    else
        ticket->sold_out = !ticket->sold_out;
    shop_changed(ticket, stage->now_ms);
    history->changed_at_ms[n % EVENTS] = stage->now_ms;
    check(history, shop_write_definitions(&stage->shop, &err), &err);
}

static void change_event(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    unsigned n = below(history, EVENTS);
    struct error err = {0};
    char event[16];

    snprintf(event, sizeof event, "e%u", n);
    for (size_t i = 0; i < stage->shop.definition_count; i++) {
        struct shop_definition *ticket = &stage->shop.definitions[i];
        if (strcmp(ticket->event, event) == 0)
            snprintf(ticket->status, sizeof ticket->status, "%s",
                     strcmp(ticket->status, "UPCOMING") == 0 ? "CANCELED" : "UPCOMING");
    }
    history->changed_at_ms[n] = stage->now_ms;
    check(history, shop_write_definitions(&stage->shop, &err), &err);
}

static void change_person(struct history *history)
{
    static const char *const words[] = {"subscribed", "subscribed", "unsubscribed", "bounced", NULL};
    struct stage *stage = &history->replay.stage;
    struct error err = {0};
    char address[64];

    person_name(LOYAL + below(history, PEOPLE - LOYAL), address);
    shop_person(&stage->shop, "fans", address, words[below(history, ARRAY_LEN(words))]);
    check(history, shop_write_people(&stage->shop, "fans", &err), &err);
}

static void change_suppression(struct history *history)
{
    unsigned n = LOYAL + below(history, PEOPLE - LOYAL);
    struct error err = {0};
    char address[64];

    if (history->erased_at_ms[n])
        return; /* to lift that is to call them back */
    person_name(n, address);
    check(history, stage_suppress(&history->replay.stage, address, history->suppressed[n], &err), &err);
    history->suppressed[n] = !history->suppressed[n];
}

static void change_erased(struct history *history)
{
    unsigned n = LOYAL + below(history, PEOPLE - LOYAL);
    struct error err = {0};
    char address[64];

    person_name(n, address);
    check(history, stage_erase(&history->replay.stage, address, &err), &err);
    if (!history->erased_at_ms[n])
        history->erased_at_ms[n] = history->replay.stage.now_ms;
}

static void change_receivers(struct history *history)
{
    struct postman *postman = &history->replay.stage.postman;
    static const struct notifier_result answers[] = {
        {.fate = NOTIFIER_TRY_LATER, .code = 451, .text = "try later"},
        {.fate = NOTIFIER_REFUSED, .code = 550, .text = "no such user"},
        {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .text = "connection refused"},
        {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .code = 421, .retry_after_ms = NOTIFIER_SLOW_DOWN},
        {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .code = 421, .retry_after_ms = 20 * SECOND_MS},
    };
    char address[64];

    person_name(LOYAL + below(history, PEOPLE - LOYAL), address);
    if (chance(history, 40))
        postman_be_kind(postman);
    else if (chance(history, 50))
        postman->latency_ms = (1 + below(history, 20)) * SECOND_MS;
    else
        postman_habit(postman, address, &answers[below(history, ARRAY_LEN(answers))], 1 + below(history, 4));
}

static void change_answers(struct history *history)
{
    struct stage *stage = &history->replay.stage;

    history->silent = !history->silent && chance(history, 50);
    stage->front.silent = history->silent;
    if (!history->silent)
        snprintf(stage->front.missing, sizeof stage->front.missing, "t%u", below(history, TICKETS));
}

static void change_daemon(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    struct error err = {0};

    if (chance(history, 30)) {
        script_rule(&stage->script, chance(history, 50) ? "reminder, when: 10m before sale_start"
                                                        : "reminder, when: 20m before sale_start");
        check(history, stage_reload(stage, &err), &err);
        return;
    }
    if (chance(history, 50))
        check(history, stage_crash(stage, &err), &err);
    else
        stage_end(stage, 30 * SECOND_MS);
    stage_advance(stage, stage->now_ms + (int64_t)below(history, 10 * MINUTE_MS));
    check(history, stage_begin(stage, &err), &err);
}

static void change_pause(struct history *history)
{
    struct launches *launches = history->replay.stage.world.launches;
    struct error err = {0};

    history->paused = !history->paused && chance(history, 50);
    struct store_job *job = history->paused ? launch_pause(launches, "", "history", NULL, NULL, &err)
                                            : launch_resume(launches, "*", "history", NULL, NULL, &err);
    check(history, job ? 0 : -1, &err);
}

/* Most of it is refused, and that is fine. Nobody says "all the same". */
static void steer(struct history *history)
{
    struct world *world = &history->replay.stage.world;
    struct error err = {0};

    if (world->notices.count == 0)
        return;
    int64_t id = world->notices.at[below(history, (unsigned)world->notices.count)]->id;
    if (chance(history, 40))
        launch_hold(world->launches, id, &err);
    else if (chance(history, 80))
        launch_release(world->launches, id, false, &err);
    else
        launch_cancel(world->launches, id, &err);
}

static void happen(struct history *history)
{
    static const struct {
        unsigned weight;
        void (*change)(struct history *history);
    } changes[] = {
        {38, change_ticket},    {5, change_event},   {12, change_person}, {6, change_suppression}, {2, change_erased},
        {10, change_receivers}, {6, change_answers}, {10, change_daemon}, {5, change_pause},       {6, steer}};
    unsigned at = below(history, 100);

    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        if (at < changes[i].weight) {
            changes[i].change(history);
            break;
        }
        at -= changes[i].weight;
    }
    stage_advance(&history->replay.stage, history->replay.stage.now_ms);
}

/* --- What must hold --- */

static bool is_of(const struct history *history, const struct postman_letter *letter, const struct notice *notice)
{
    int64_t id, seq;

    return crypt_message_untoken(history->replay.stage.tokens, text_of(letter->token), &id, &seq) == 0 &&
           id == notice->id;
}

static const struct notice *notice_of(const struct history *history, const struct postman_letter *letter)
{
    const struct notices *all = &history->replay.stage.world.notices;

    for (size_t i = 0; i < all->count; i++)
        if (is_of(history, letter, all->at[i]))
            return all->at[i];
    return NULL;
}

/* Is that ticket, in the shop itself, for sale to somebody at that instant of that event? */
static bool stands_behind(const struct shop_definition *ticket, const struct notice *notice)
{
    int64_t at_ms = notice->kind == MOMENT_SALE_START ? ticket->starts_at_ms : ticket->ends_at_ms;

    return strcmp(ticket->event, notice->subject) == 0 && at_ms == notice->at_ms && !ticket->hidden &&
           !ticket->deleted && strcmp(ticket->status, "UPCOMING") == 0;
}

static bool stands(const struct history *history, const struct notice *notice)
{
    const struct shop *shop = &history->replay.stage.shop;

    for (size_t i = 0; i < shop->definition_count; i++)
        if (stands_behind(&shop->definitions[i], notice))
            return true;
    return false;
}

static void look_at_letter(struct history *history, const struct postman_letter *letter)
{
    struct replay *replay = &history->replay;
    const struct notice *notice = notice_of(history, letter);
    unsigned n = (unsigned)atoi(letter->address + strlen("fan"));

    if (!notice) {
        replay_fail(replay, "a letter to %s of no notice", letter->address);
        return;
    }
    if (letter->at_ms < notice->due_at_ms)
        replay_fail(replay, "notice %lld: a letter before it was due", (long long)notice->id);
    if (history->suppressed[n])
        replay_fail(replay, "notice %lld: a letter to %s, who is suppressed", (long long)notice->id, letter->address);
    if (history->erased_at_ms[n] && letter->at_ms > history->erased_at_ms[n] + IN_HAND_MS)
        replay_fail(replay, "notice %lld: a letter to %s, who is erased", (long long)notice->id, letter->address);
    if (history->paused)
        replay_fail(replay, "notice %lld: a letter while everything is paused", (long long)notice->id);
    if (!stands(history, notice) && letter->at_ms > history->changed_at_ms[atoi(notice->subject + 1)] + EVIDENCE_MS)
        replay_fail(replay, "notice %lld: a letter of a sale that is not there any more", (long long)notice->id);
}

/* Was that ticket named by another notice of that rule and event before this one was released? */
static bool told_before(const struct notices *all, const struct notice *notice, const char *ticket)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct notice *other = all->at[i];
        if (other == notice || !other->claimed || other->released_at_ms >= notice->released_at_ms ||
            strcmp(other->rule, notice->rule) != 0 || strcmp(other->subject, notice->subject) != 0)
            continue;
        for (size_t k = 0; k < other->member_count; k++)
            if (strcmp(other->members[k], ticket) == 0)
                return true;
    }
    return false;
}

/* Every ticket that it named, and every one that stands behind it unnamed (sold out, not started), was told before. */
static bool all_told_before(const struct history *history, const struct notice *notice)
{
    const struct notices *all = &history->replay.stage.world.notices;
    const struct shop *shop = &history->replay.stage.shop;

    for (size_t m = 0; m < notice->member_count; m++)
        if (!told_before(all, notice, notice->members[m]))
            return false;
    for (size_t i = 0; i < shop->definition_count; i++)
        if (stands_behind(&shop->definitions[i], notice) && !told_before(all, notice, shop->definitions[i].id))
            return false;
    return notice->member_count > 0;
}

static void watch(struct history *history)
{
    struct replay *replay = &history->replay;
    const struct postman *postman = &replay->stage.postman;
    const struct notices *all = &replay->stage.world.notices;

    replay_watch(replay);
    replay_compare(replay);
    for (; history->seen < postman->letter_count; history->seen++)
        look_at_letter(history, &postman->letters[history->seen]);
    for (size_t i = 0; i < all->count; i++) {
        const struct notice *notice = all->at[i];
        if (notice->released_at_ms > history->looked_at_ms && notice->claimed && !notice->approved &&
            all_told_before(history, notice))
            replay_fail(replay, "notice %lld: all of it had been told before", (long long)notice->id);
    }
    history->looked_at_ms = replay->stage.now_ms;
}

/* Whoever was there all the time has the message of everything that was told. */
static void look_for_the_loyal(struct history *history, const struct notice *notice)
{
    const struct postman *postman = &history->replay.stage.postman;

    for (unsigned n = 0; n < LOYAL; n++) {
        char address[64];
        bool told = false;
        person_name(n, address);
        for (size_t i = 0; i < postman->letter_count && !told; i++)
            told = postman->letters[i].taken && strcmp(postman->letters[i].address, address) == 0 &&
                   is_of(history, &postman->letters[i], notice);
        if (!told)
            replay_fail(&history->replay, "notice %lld is done, and %s was lost", (long long)notice->id, address);
    }
}

static void look_back(struct history *history)
{
    const struct notices *all = &history->replay.stage.world.notices;
    int64_t now_ms = history->replay.stage.now_ms;

    for (size_t i = 0; i < all->count; i++) {
        const struct notice *notice = all->at[i];
        bool open = notice->state == NOTICE_PLANNED || notice->state == NOTICE_GATHERING ||
                    notice->state == NOTICE_READY || notice->state == NOTICE_SENDING;
        if (open && notice->due_at_ms < now_ms - AFTERWARDS_MS / 2)
            replay_fail(&history->replay, "notice %lld is stuck: %s", (long long)notice->id,
                        notice_state_name(notice->state));
        if (notice->state == NOTICE_DONE && notice->rest == WITHHELD_NONE && notice->tally.in_doubt == 0)
            look_for_the_loyal(history, notice);
    }
    replay_audit(&history->replay);
}

/* --- One history --- */

static void set_the_scene(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    struct error err = {0};

    stage->now_ms = civil_to_ms((struct civil){.year = 2027, .month = 3, .day = 26, .hour = 6});
    stage->postman.window = 2;
    script_rule(&stage->script, "on-sale");
    script_rule(&stage->script, "reminder, when: 10m before sale_start");
    script_rule(&stage->script, "ending, when: 5m before sale_end, if_told: drop");
    for (unsigned n = 0; n < PEOPLE; n++) {
        char address[64];
        person_name(n, address);
        shop_person(&stage->shop, "fans", address, "subscribed");
    }
    check(history, shop_write_people(&stage->shop, "fans", &err), &err);
    check(history, stage_begin(stage, &err), &err);
}

static void come_to_rest(struct history *history)
{
    struct stage *stage = &history->replay.stage;
    struct error err = {0};

    postman_be_kind(&stage->postman);
    stage->front.silent = history->silent = false;
    history->paused = false;
    launch_resume(stage->world.launches, "*", "history", NULL, NULL, &err);
    stage_advance(stage, stage->now_ms + AFTERWARDS_MS);
    watch(history);
}

static unsigned live(uint64_t seed)
{
    char name[64];
    struct history history = {.replay = {.story = name}, .seed = seed, .state = seed};
    struct error err = {0};

    snprintf(name, sizeof name, "seed %llu", (unsigned long long)seed);
    if (stage_init(&history.replay.stage, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    set_the_scene(&history);
    while (history.replay.line < STEPS && history.replay.failures == 0) {
        history.replay.line++;
        happen(&history);
        watch(&history);
        int64_t span_ms = chance(&history, 40) ? 30 * SECOND_MS : 6 * MINUTE_MS;
        stage_advance(&history.replay.stage, history.replay.stage.now_ms + (int64_t)below(&history, (unsigned)span_ms));
        watch(&history);
    }
    if (history.replay.failures == 0) {
        come_to_rest(&history);
        look_back(&history);
    }
    if (history.replay.failures > 0)
        replay_list(&history.replay);
    printf("# %zu messages of %zu notices\n", history.replay.stage.postman.letter_count,
           history.replay.stage.world.notices.count);
    stage_clear(&history.replay.stage);
    return history.replay.failures;
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
