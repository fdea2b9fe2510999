#include "notice.h"

#include <assert.h>
#include <string.h>

#define TO(state) (1u << NOTICE_##state)

/* The life of a notice: design.md section 5. */
static const struct {
    const char *name;
    unsigned next; /* the states that may follow */
} states[NOTICE_STATES] = {
    [NOTICE_PLANNED] = {"planned", TO(GATHERING) | TO(MISSED) | TO(WITHDRAWN) | TO(CANCELLED)},
    [NOTICE_GATHERING] = {"gathering", TO(READY) | TO(PLANNED) | TO(HELD) | TO(WITHDRAWN) | TO(CANCELLED)},
    [NOTICE_READY] = {"ready", TO(SENDING) | TO(HELD) | TO(PLANNED) | TO(MISSED) | TO(WITHDRAWN) | TO(CANCELLED)},
    [NOTICE_HELD] = {"held", TO(READY) | TO(SENDING) | TO(HELD) | TO(MISSED) | TO(WITHDRAWN) | TO(CANCELLED)},
    [NOTICE_SENDING] = {"sending", TO(HELD) | TO(DONE) | TO(WITHDRAWN) | TO(CANCELLED)},
    [NOTICE_DONE] = {"done", TO(SENDING)},           /* chosen people again: an operator's retry */
    [NOTICE_MISSED] = {"missed", 0},                 /* nobody was awake: never sent late by surprise */
    [NOTICE_WITHDRAWN] = {"withdrawn", TO(PLANNED)}, /* the sale came back, and nobody was told yet */
    [NOTICE_CANCELLED] = {"cancelled", 0},           /* an operator's word sticks */
};

static const char *const reason_names[REASONS] = {
    [REASON_NONE] = "",
    [REASON_UNVERIFIED] = "unverified",
    [REASON_NOT_STARTED] = "not started",
    [REASON_ALREADY_TOLD] = "already told",
    [REASON_CONSENT] = "consent",
    [REASON_MESSAGE] = "message",
    [REASON_CHANNEL] = "channel",
    [REASON_COPY] = "copy",
    [REASON_DISK] = "disk",
    [REASON_OPERATOR] = "operator",
    [REASON_BEFORE_OUR_TIME] = "before our time",
    [REASON_LATE] = "late",
    [REASON_MOVED] = "moved",
    [REASON_HIDDEN] = "hidden",
    [REASON_GONE] = "gone",
    [REASON_EVENT_OFF] = "event off",
    [REASON_SOLD_OUT] = "sold out",
    [REASON_RULE] = "rule removed",
    [REASON_ENDED] = "sale ended",
};

const char *notice_state_name(enum notice_state state)
{
    assert(state < NOTICE_STATES);
    return states[state].name;
}

const char *notice_reason_name(enum notice_reason reason)
{
    assert(reason < REASONS);
    return reason_names[reason];
}

enum withheld withheld_by(enum notice_reason reason)
{
    switch (reason) {
    case REASON_HIDDEN:
        return WITHHELD_HIDDEN;
    case REASON_GONE:
        return WITHHELD_GONE;
    case REASON_EVENT_OFF:
        return WITHHELD_EVENT_OFF;
    case REASON_OPERATOR:
    case REASON_RULE:
        return WITHHELD_CANCELLED;
    default:
        return WITHHELD_MOVED;
    }
}

int notice_state_parse(struct text t, enum notice_state *out)
{
    for (unsigned i = 0; i < NOTICE_STATES; i++)
        if (text_is(t, states[i].name)) {
            *out = i;
            return 0;
        }
    return -1;
}

static const struct notice_course nothing_so_far = {
    .begun_at_ms = MOMENT_NONE,
    .gathered_at_ms = MOMENT_NONE,
    .released_at_ms = MOMENT_NONE,
    .first_handover_at_ms = MOMENT_NONE,
    .last_handover_at_ms = MOMENT_NONE,
    .ended_at_ms = MOMENT_NONE,
    .estimate = -1,
    .will_finish_ms = -1,
};

struct notice *notice_new(int64_t id, const char *site, const char *subject, const char *rule, enum moment_kind kind,
                          int64_t at_ms, int edition)
{
    struct notice *notice = must_calloc(1, sizeof *notice);
    char *end = must_calloc(1, strlen(site) + 1 + strlen(subject) + 1 + strlen(rule) + 1);

    notice->course = &nothing_so_far;
    notice->site = end;
    end = stpcpy(end, site) + 1;
    notice->subject = end;
    end = stpcpy(end, subject) + 1;
    notice->rule = end;
    stpcpy(end, rule);
    notice->id = id;
    notice->kind = kind;
    notice->at_ms = at_ms;
    notice->edition = edition;
    notice->due_at_ms = notice->wakes_at_ms = MOMENT_NONE;
    return notice;
}

struct notice_course *notice_course(struct notice *notice)
{
    if (notice->course == &nothing_so_far) {
        struct notice_course *own = must_calloc(1, sizeof *own);
        *own = nothing_so_far;
        notice->course = own;
    }
    return (struct notice_course *)(uintptr_t)notice->course;
}

static void drop_members(struct notice_course *course)
{
    for (size_t i = 0; i < course->member_count; i++)
        free(course->members[i]);
    free(course->members);
    course->members = NULL;
    course->member_count = 0;
}

static void drop_course(struct notice *notice)
{
    struct notice_course *course = notice->course == &nothing_so_far ? NULL : notice_course(notice);

    if (!course)
        return;
    drop_members(course);
    free(course->reason_text);
    free(course->channel);
    free(course->forecast);
    free(course);
}

void notice_free(struct notice *notice)
{
    if (!notice)
        return;
    drop_course(notice);
    if (!notice->in_set)
        free((char *)(uintptr_t)notice->site); /* the three lie in one block */
    free(notice);
}

bool notice_final(const struct notice *notice)
{
    return notice->state == NOTICE_DONE || notice->state == NOTICE_MISSED || notice->state == NOTICE_CANCELLED;
}

bool notice_begun(const struct notice *notice)
{
    return notice->state == NOTICE_SENDING || (notice->state == NOTICE_HELD && notice->claimed);
}

bool notice_may_move(const struct notice *notice, enum notice_state to)
{
    if (notice->state == NOTICE_WITHDRAWN && notice->claimed)
        return false; /* somebody may have been told: never planned again */
    return states[notice->state].next & (1u << to);
}

void notice_move(struct notice *notice, enum notice_state to, enum notice_reason reason, const char *text)
{
    char *copy = text ? must_strdup(text) : NULL; /* first: `text` may be the old one */

    assert(notice_may_move(notice, to));
    notice->state = to;
    notice->reason = reason;
    if (!copy && !notice->course->reason_text)
        return;
    free(notice->course->reason_text);
    notice_course(notice)->reason_text = copy;
}

void notice_set_members(struct notice *notice, const char *const *ids, size_t count)
{
    char **members = count ? must_calloc(count, sizeof *members) : NULL;

    for (size_t i = 0; i < count; i++)
        members[i] = must_strdup(ids[i]);
    drop_members(notice_course(notice));
    notice_course(notice)->members = members;
    notice_course(notice)->member_count = count;
}

/* --- The set: by identity, by subject ----------------------------------------------------------------------------- */

static uint64_t hash_of_identity(const void *item)
{
    const struct notice *notice = item;
    uint64_t texts = index_hash(index_hash(index_hash(INDEX_HASH, notice->site), notice->subject), notice->rule);

    return texts ^ (2 * (uint64_t)notice->at_ms + notice->kind) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool same_identity(const void *a, const void *b)
{
    const struct notice *x = a, *y = b;
    return x->at_ms == y->at_ms && x->kind == y->kind && strcmp(x->subject, y->subject) == 0 &&
           strcmp(x->rule, y->rule) == 0 && strcmp(x->site, y->site) == 0;
}

static const struct index_kind by_identity = {hash_of_identity, same_identity};

struct notice *notices_match(const struct notices *set, const char *site, const char *subject, const char *rule,
                             enum moment_kind kind, int64_t at_ms)
{
    return index_find(&set->by_identity, &by_identity,
                      &(struct notice){.site = site, .subject = subject, .rule = rule, .kind = kind, .at_ms = at_ms});
}

static uint64_t hash_of_subject(const void *item)
{
    const struct notice *notice = item;
    return index_hash(index_hash(INDEX_HASH, notice->site), notice->subject);
}

static bool same_subject(const void *a, const void *b)
{
    const struct notice *x = a, *y = b;
    return strcmp(x->subject, y->subject) == 0 && strcmp(x->site, y->site) == 0;
}

static const struct index_kind by_subject = {hash_of_subject, same_subject};

struct notice *notices_about(const struct notices *set, const char *site, const char *subject)
{
    return index_find(&set->by_subject, &by_subject, &(struct notice){.site = site, .subject = subject});
}

/* The chain goes down from the highest id: mostly the new one. */
static void chain(struct notices *set, struct notice *notice)
{
    struct notice *above = index_put(&set->by_subject, &by_subject, notice);

    notice->next = above;
    if (!above || above->id < notice->id)
        return;
    index_put(&set->by_subject, &by_subject, above);
    while (above->next && above->next->id > notice->id)
        above = above->next;
    notice->next = above->next;
    above->next = notice;
}

/* --- Names ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of_name(const void *item)
{
    return index_hash(INDEX_HASH, item);
}

static bool same_name(const void *a, const void *b)
{
    return strcmp(a, b) == 0;
}

static const struct index_kind by_name = {hash_of_name, same_name};

static const char *name_of(struct notices *set, const char *text)
{
    char *name = index_find(&set->names, &by_name, text);

    if (!name) {
        name = must_strdup(text);
        index_put(&set->names, &by_name, name);
    }
    return name;
}

static void share_names(struct notices *set, struct notice *notice)
{
    char *own = (char *)(uintptr_t)notice->site;

    notice->site = name_of(set, notice->site);
    notice->subject = name_of(set, notice->subject);
    notice->rule = name_of(set, notice->rule);
    notice->in_set = true;
    free(own);
}

void notices_clear(struct notices *set)
{
    for (size_t i = 0; i < set->count; i++)
        notice_free(set->at[i]);
    free(set->at);
    index_clear(&set->by_identity);
    index_clear(&set->by_subject);
    for (size_t i = 0; i < set->names.size; i++)
        free(set->names.at[i]);
    index_clear(&set->names);
    *set = (struct notices){0};
}

/* How many have a lower id. */
static size_t place_by_id(const struct notices *set, int64_t id)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->at[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void notices_put(struct notices *set, struct notice *notice)
{
    size_t place = place_by_id(set, notice->id);
    const struct notice *before;

    assert(!notice->in_set && (place == set->count || set->at[place]->id != notice->id));
    before = index_find(&set->by_identity, &by_identity, notice);
    share_names(set, notice);
    if (set->count == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 64;
        set->at = must_realloc(set->at, set->cap * sizeof *set->at);
    }
    memmove(set->at + place + 1, set->at + place, (set->count - place) * sizeof *set->at);
    set->at[place] = notice;
    set->count++;
    chain(set, notice);
    if (set->next_id <= notice->id)
        set->next_id = notice->id + 1;
    if (!before || before->edition < notice->edition)
        index_put(&set->by_identity, &by_identity, notice);
}

struct notice *notices_find(const struct notices *set, int64_t id)
{
    size_t place = place_by_id(set, id);
    return place < set->count && set->at[place]->id == id ? set->at[place] : NULL;
}
