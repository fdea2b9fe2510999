/* always.c - what every story does: nothing early, nothing twice, and all that is said of it agrees. */
#include "words.h"

#include <string.h>

json_t *replay_ask(struct replay *replay, const struct store_report *what)
{
    struct error err = {0};
    json_t *answer = store_report_now(replay->stage.world.store, what, &err);

    if (!answer)
        replay_fail(replay, "report: %s", err.text);
    return answer;
}

/* What is said of a notice while it goes on is what its ledger says. */
static void compare_counts(struct replay *replay, const json_t *stored)
{
    const struct notice *notice =
        notices_find(&replay->stage.world.notices, json_integer_value(json_object_get(stored, "id")));
    const json_t *counts = json_object_get(stored, "counts");

    /* A page that was on its way to the disk when nobody was to be told any more is not counted, and need not be. */
    if (!notice || (notice->state == NOTICE_WITHDRAWN && !notice->claimed))
        return;
    const struct tally tally = tally_with_rest(notice->course->tally, notice->rest);
    const struct {
        const char *name;
        int64_t count;
    } said[] = {{"planned", tally.planned}, {"waiting", tally.waiting},   {"accepted", tally.accepted},
                {"refused", tally.refused}, {"in_doubt", tally.in_doubt}, {"withheld", tally.withheld}};
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        int64_t count = json_integer_value(json_object_get(counts, said[i].name));
        if (count != said[i].count)
            replay_fail(replay, "notice %lld is %s: its ledger says %lld %s, the daemon %lld", (long long)notice->id,
                        notice_state_name(notice->state), (long long)count, said[i].name, (long long)said[i].count);
    }
}

void replay_compare(struct replay *replay)
{
    size_t i;
    json_t *stored;

    if (!replay->stage.cast)
        return;
    json_t *listed = replay_ask(replay, &(struct store_report){.kind = REPORT_NOTICES});
    json_array_foreach(listed, i, stored) compare_counts(replay, stored);
    json_decref(listed);
}

void replay_watch(struct replay *replay)
{
    struct stage *stage = &replay->stage;
    const struct notices *all = &stage->world.notices;

    if (*stage->postman.complaint) {
        replay_fail(replay, "%s", stage->postman.complaint);
        replay_list(replay);
        *stage->postman.complaint = '\0';
    }
    if (stage->cast)
        watcher_compare(&stage->watcher);
    if (*stage->watcher.complaint) {
        replay_fail(replay, "%s", stage->watcher.complaint);
        *stage->watcher.complaint = '\0';
    }
    if (*stage->almanac.complaint) {
        replay_fail(replay, "%s", stage->almanac.complaint);
        *stage->almanac.complaint = '\0';
    }
    if (*stage->ear.complaint) {
        replay_fail(replay, "%s", stage->ear.complaint);
        *stage->ear.complaint = '\0';
    }
    if (stage->stuck)
        replay_fail(replay, "something rings for ever");
    for (size_t i = 0; stage->cast && i < all->count; i++) {
        const struct notice *notice = all->at[i];
        const struct tally *t = &notice->course->tally;
        if (notice->course->first_handover_at_ms != MOMENT_NONE &&
            notice->course->first_handover_at_ms < notice->due_at_ms)
            replay_fail(replay, "notice %lld went out before it was due", (long long)notice->id);
        if (t->planned != t->waiting + t->accepted + t->refused + t->in_doubt + t->withheld &&
            notice->course->released_at_ms != MOMENT_NONE)
            replay_fail(replay, "notice %lld: its counts do not sum up", (long long)notice->id);
        if (notice->state == NOTICE_DONE && t->waiting > 0)
            replay_fail(replay, "notice %lld is done, and %lld people wait", (long long)notice->id,
                        (long long)t->waiting);
    }
}

static int64_t accepted(const json_t *notices)
{
    int64_t sum = 0;
    size_t i;
    json_t *notice;

    json_array_foreach(notices, i, notice) sum +=
        json_integer_value(json_object_get(json_object_get(notice, "counts"), "accepted"));
    return sum;
}

void replay_audit(struct replay *replay)
{
    struct stage *stage = &replay->stage;
    int64_t taken = (int64_t)postman_told(&stage->postman, NULL);
    size_t i;
    json_t *problem;

    if (!stage->cast)
        return;
    stage_settle(stage);
    json_t *answer = replay_ask(replay, &(struct store_report){.kind = REPORT_AUDIT});
    json_array_foreach(json_object_get(answer, "problems"), i, problem)
        replay_fail(replay, "audit: %s", json_string_value(problem));
    json_decref(answer);
    json_t *listed = replay_ask(replay, &(struct store_report){.kind = REPORT_NOTICES});
    if (accepted(listed) > taken)
        replay_fail(replay, "the ledger says %lld were accepted, the postman has seen %lld",
                    (long long)accepted(listed), (long long)taken);
    json_decref(listed);
}
