/* promises.c - what must hold in every history: looked at from outside, with what the shop, the postman and the public
 * reports say. */
#include "history.h"
#include "launch.h"

#include <string.h>

enum {
    EVIDENCE_MS = 61 * SECOND_MS, /* what the site said is believed so long */
    DATE_MS = SECOND_MS,          /* a clock that is ahead by less is not noticed: the site's Date has seconds */
};

int64_t history_true_ms(const struct history *history)
{
    return history->replay.stage.now_ms - history->replay.stage.stepped_ms;
}

void history_address(unsigned person, char out[64])
{
    snprintf(out, 64, "fan%u@example.org", person);
}

/* --- Letters ---------------------------------------------------------------------------------------------------- */

static bool stands_behind(const struct shop_definition *ticket, const struct notice *notice)
{
    int64_t at_ms = notice->kind == MOMENT_SALE_START ? ticket->starts_at_ms : ticket->ends_at_ms;

    return strcmp(ticket->event, notice->subject) == 0 && at_ms == notice->at_ms && !ticket->hidden &&
           !ticket->deleted && strcmp(ticket->status, "UPCOMING") == 0;
}

/* Is there a ticket, in the shop itself, for sale to somebody at that instant of that event? */
static bool stands(const struct history *history, const struct notice *notice)
{
    const struct shop *shop = &history->replay.stage.shop;

    for (size_t i = 0; i < shop->definition_count; i++)
        if (stands_behind(&shop->definitions[i], notice))
            return true;
    return false;
}

static bool is_over(int64_t since_ms, int64_t at_ms, int64_t span_ms)
{
    return since_ms > 0 && at_ms > since_ms + span_ms;
}

static bool is_paused(const struct history *history, const struct postman_letter *letter, const struct notice *notice)
{
    char own[32];

    if (text_starts(text_of(history->paused), "notifier:"))
        return (strstr(letter->from, "post@") != NULL) == (strcmp(history->paused, "notifier:post") == 0);

    snprintf(own, sizeof own, "notice:%lld", (long long)notice->id);
    return !text_starts(text_of(history->paused), "notice:") || strcmp(history->paused, own) == 0;
}

static const struct history_told *told_of(const struct history *history, int64_t notice)
{
    for (size_t i = 0; i < history->told_count; i++)
        if (history->told[i].notice == notice)
            return &history->told[i];
    return NULL;
}

static unsigned lists_of(unsigned person)
{
    return person < HISTORY_LOYAL         ? HISTORY_FANS | HISTORY_DOOR
           : person < HISTORY_AT_THE_DOOR ? HISTORY_FANS
                                          : HISTORY_DOOR;
}

/* What has begun ends as it began, whatever a reload says. */
static void look_at_words(struct history *history, const struct postman_letter *letter, const struct notice *notice)
{
    const struct history_told *told = told_of(history, notice->id);
    char from[64];
    long long id = (long long)notice->id;
    unsigned person = (unsigned)atoi(letter->address + strlen("fan"));

    if (!told) {
        replay_fail(&history->replay, "notice %lld: a letter, and it has never claimed", id);
        return;
    }
    if (!told->known)
        return;
    snprintf(from, sizeof from, "%s <%s@arena.example>", told->from,
             strcmp(told->by, "mail") == 0 ? "tickets" : "post");
    if (!history->trusting && notice->edition == 1 &&
        letter->at_ms - history->replay.stage.stepped_ms < told->due_at_ms - DATE_MS)
        replay_fail(&history->replay, "notice %lld: a letter before its rule's time", id);
    if (!(lists_of(person) & told->audiences))
        replay_fail(&history->replay, "notice %lld: a letter to %s, of another audience", id, letter->address);
    if (strcmp(letter->from, from) != 0)
        replay_fail(&history->replay, "notice %lld: a letter from %s, it began as %s", id, letter->from, from);
    if (!strstr(letter->subject, told->subject))
        replay_fail(&history->replay, "notice %lld: a letter that says \"%s\", it began with \"%s\"", id,
                    letter->subject, told->subject);
}

static void look_at_letter(struct history *history, const struct postman_letter *letter, const struct notice *notice)
{
    struct replay *replay = &history->replay;
    long long id = (long long)notice->id;
    int64_t at_ms = letter->at_ms - replay->stage.stepped_ms;
    unsigned person = (unsigned)atoi(letter->address + strlen("fan"));

    if (!history->trusting && at_ms < notice->due_at_ms - DATE_MS)
        replay_fail(replay, "notice %lld: a letter before it was due", id);
    if (is_over(history->suppressed_at_ms[person], at_ms, history->in_hand_ms))
        replay_fail(replay, "notice %lld: a letter to %s, who is suppressed", id, letter->address);
    if (is_over(history->erased_at_ms[person], at_ms, history->in_hand_ms))
        replay_fail(replay, "notice %lld: a letter to %s, who is erased", id, letter->address);
    if (is_paused(history, letter, notice) && is_over(history->paused_at_ms, at_ms, history->in_hand_ms))
        replay_fail(replay, "notice %lld: a letter while \"%s\" is paused", id, history->paused);
    if (!history->trusting && !stands(history, notice) &&
        at_ms > history->changed_at_ms[atoi(notice->subject + 1)] + EVIDENCE_MS + history->in_hand_ms)
        replay_fail(replay, "notice %lld: a letter of a sale that is not there any more", id);
}

/* Letters know their notice by the token in their Message-ID alone. */
static void look_at_letters(struct history *history)
{
    struct replay *replay = &history->replay;
    const struct postman *postman = &replay->stage.postman;

    history->letters = must_realloc(history->letters, (postman->letter_count + 1) * sizeof *history->letters);
    for (; history->letter_count < postman->letter_count; history->letter_count++) {
        const struct postman_letter *letter = &postman->letters[history->letter_count];
        int64_t id = 0, seq = 0;
        crypt_message_untoken(replay->stage.tokens, text_of(letter->token), &id, &seq);
        const struct notice *notice = notices_find(&replay->stage.world.notices, id);
        history->letters[history->letter_count] = id;
        if (notice) {
            look_at_letter(history, letter, notice);
            look_at_words(history, letter, notice);
        } else if (replay->stage.cast)
            replay_fail(replay, "a letter to %s of no notice", letter->address);
    }
}

/* --- Told once -------------------------------------------------------------------------------------------------- */

static bool names(const struct notice *notice, const char *ticket)
{
    for (size_t i = 0; i < notice->course->member_count; i++)
        if (strcmp(notice->course->members[i], ticket) == 0)
            return true;
    return false;
}

/* Did another notice of that rule and event, which claimed before this one, name the ticket? */
static bool told_before(const struct history *history, const struct notice *notice, const char *ticket)
{
    for (size_t i = 0; i < history->told_count; i++) {
        const struct notice *other = notices_find(&history->replay.stage.world.notices, history->told[i].notice);
        if (other && strcmp(other->rule, notice->rule) == 0 && other->kind == notice->kind &&
            strcmp(other->subject, notice->subject) == 0 && names(other, ticket))
            return true;
    }
    return false;
}

/* Every ticket that it named, and every one that stands behind it unnamed (sold out, not started), was told before. */
static bool all_told_before(const struct history *history, const struct notice *notice)
{
    const struct shop *shop = &history->replay.stage.shop;

    for (size_t i = 0; i < notice->course->member_count; i++)
        if (!told_before(history, notice, notice->course->members[i]))
            return false;
    for (size_t i = 0; i < shop->definition_count; i++)
        if (stands_behind(&shop->definitions[i], notice) && !told_before(history, notice, shop->definitions[i].id))
            return false;
    return notice->course->member_count > 0;
}

static void look_at_claims(struct history *history)
{
    const struct notices *all = &history->replay.stage.world.notices;
    size_t before = history->told_count;

    for (size_t i = 0; i < all->count; i++) {
        const struct notice *notice = all->at[i];
        if (!notice->claimed || told_of(history, notice->id))
            continue;
        if (!history->retelling && !notice->approved && notice->edition == 1 && history->told_count == before &&
            all_told_before(history, notice))
            replay_fail(&history->replay, "notice %lld: all of it had been told before", (long long)notice->id);
        history->told = must_realloc(history->told, (history->told_count + 1) * sizeof *history->told);
        history->told[history->told_count++] = history_told_now(history, notice);
    }
}

/* --- Doubt is bounded ------------------------------------------------------------------------------------------- */

static void look_at_doubt(struct history *history, const char *notifier)
{
    const struct notices *all = &history->replay.stage.world.notices;
    int64_t claimed = 0;

    for (size_t i = 0; i < all->count; i++)
        if (all->at[i]->course->channel && strcmp(all->at[i]->course->channel, notifier) == 0)
            claimed += all->at[i]->course->tally.claimed;
    if (claimed > history->doubt_max)
        replay_fail(&history->replay, "%lld people of %s are claimed without a fate, doubt_max is %lld",
                    (long long)claimed, notifier, (long long)history->doubt_max);
}

/* --- What is planned is counted ----------------------------------------------------------------------------------- */

static void look_at_counts(struct history *history)
{
    const struct world *world = &history->replay.stage.world;
    size_t stand[NOTICE_STATES] = {0}, counted[NOTICE_STATES];

    for (size_t i = 0; i < world->notices.count; i++)
        stand[world->notices.at[i]->state]++;
    launches_count(world->launches, counted);
    for (enum notice_state state = NOTICE_PLANNED; state <= NOTICE_SENDING; state++)
        if (counted[state] != stand[state])
            replay_fail(&history->replay, "%zu notices are %s, counted are %zu", stand[state], notice_state_name(state),
                        counted[state]);
}

void history_watch(struct history *history)
{
    replay_watch(&history->replay);
    if (history->replay.stage.cast)
        look_at_claims(history);
    look_at_letters(history);
    if (!history->replay.stage.cast)
        return;
    look_at_doubt(history, "mail");
    look_at_doubt(history, "post");
    look_at_counts(history);
    replay_compare(&history->replay);
}

/* --- In the end ------------------------------------------------------------------------------------------------- */

static unsigned letters_taken(const struct history *history, int64_t notice, const char *address)
{
    const struct postman *postman = &history->replay.stage.postman;
    unsigned count = 0;

    for (size_t i = 0; i < history->letter_count; i++)
        count += history->letters[i] == notice && postman->letters[i].taken &&
                 strcmp(postman->letters[i].address, address) == 0;
    return count;
}

/* What the ledger says of one person against what the postman has seen; doubt may be either. */
static void look_at_fate(struct history *history, const struct notice *notice, const char *address, const char *state)
{
    unsigned taken = letters_taken(history, notice->id, address);
    bool accepted = strcmp(state, "accepted") == 0, doubt = strcmp(state, "in doubt") == 0;

    if (taken > 1 || (accepted && taken == 0) || (!accepted && !doubt && taken > 0))
        replay_fail(&history->replay, "notice %lld: %s is %s, and has %u letters", (long long)notice->id, address,
                    state, taken);
    if (notice->state == NOTICE_DONE && strcmp(state, "waiting") == 0)
        replay_fail(&history->replay, "notice %lld is done, and %s waits", (long long)notice->id, address);
}

/* Everybody who was there all the time is known to everything that was told. */
static void look_at_people(struct history *history, const struct notice *notice)
{
    struct replay *replay = &history->replay;
    struct error err = {0};
    bool known[HISTORY_LOYAL] = {0};
    size_t i;
    json_t *person;
    json_t *people = store_report_now(replay->stage.world.store,
                                      &(struct store_report){.kind = REPORT_PEOPLE, .notice = notice->id}, &err);

    if (!people)
        replay_fail(replay, "notice %lld: %s", (long long)notice->id, err.text);
    json_array_foreach(people, i, person)
    {
        const char *address = json_string_value(json_object_get(person, "address"));
        unsigned n = address ? (unsigned)atoi(address + strlen("fan")) : HISTORY_LOYAL;
        if (address)
            look_at_fate(history, notice, address, json_string_value(json_object_get(person, "state")));
        if (n < HISTORY_LOYAL)
            known[n] = true;
    }
    json_decref(people);
    for (unsigned n = 0; n < HISTORY_LOYAL; n++)
        if (notice->state == NOTICE_DONE && !known[n])
            replay_fail(replay, "notice %lld is done, and fan%u was lost", (long long)notice->id, n);
}

void history_look_back(struct history *history)
{
    const struct notices *all = &history->replay.stage.world.notices;
    int64_t now_ms = history->replay.stage.now_ms;

    for (size_t i = 0; i < all->count; i++) {
        const struct notice *notice = all->at[i];
        bool open = notice->state == NOTICE_PLANNED || notice->state == NOTICE_GATHERING ||
                    notice->state == NOTICE_READY || notice->state == NOTICE_SENDING;
        if (open && notice->due_at_ms < now_ms - HISTORY_AFTERWARDS_MS / 2)
            replay_fail(&history->replay, "notice %lld is stuck: %s", (long long)notice->id,
                        notice_state_name(notice->state));
        look_at_people(history, notice);
        ear_compare(&history->replay.stage.ear, notice);
    }
    replay_watch(&history->replay);
    replay_audit(&history->replay);
}

void history_clear(struct history *history)
{
    free(history->told);
    free(history->letters);
    stage_clear(&history->replay.stage);
}
