/* A notice whose rule or site left the configuration: nobody plans for it any more, and there is no launch of it. It
 * ends, and who was in the hands of an earlier start is named. */
#include "launch_private.h"
#include "news.h"
#include "progress.h"

#include <string.h>

/* The ledger is being asked for the claims that nobody will answer. */
struct orphan {
    struct launches *launches;
    struct notice *notice;
    struct store_job *job;
    struct orphan *next;
};

static void on_named(void *ctx, const struct store_launch *found)
{
    struct orphan *orphan = ctx, **at = &orphan->launches->orphans;
    const struct world *world = orphan->launches->world;

    while (*at != orphan)
        at = &(*at)->next;
    *at = orphan->next;
    if (found->failure) {
        log_line(world->log, LOG_ERROR, "event=ledger_failed notice=%lld error=%s", (long long)orphan->notice->id,
                 LOG_QUOTED(text_of(found->failure->text)));
    } else {
        notice_course(orphan->notice)->tally = found->tally;
        progress_note(world->progress, orphan->notice);
        log_line(world->log, LOG_WARNING, "event=in_doubt notice=%lld count=%lld cause=restart",
                 (long long)orphan->notice->id, (long long)found->doubts);
    }
    free(orphan);
}

static void name_doubts(struct launches *launches, struct notice *notice)
{
    struct orphan *orphan = must_calloc(1, sizeof *orphan);

    *orphan = (struct orphan){.launches = launches, .notice = notice, .next = launches->orphans};
    launches->orphans = orphan;
    orphan->job = store_launch(launches->world->store, notice->id, notice->course->channel, 0, on_named, orphan);
}

static bool is_asked(const struct launches *launches, const struct notice *notice)
{
    for (const struct orphan *orphan = launches->orphans; orphan; orphan = orphan->next)
        if (orphan->notice == notice)
            return true;
    return false;
}

static void withdraw(struct world *world, struct notice *notice)
{
    const struct notice *row = notice;
    enum notice_state before = notice->state;
    char subject[256];

    log_line(world->log, notice->claimed ? LOG_ERROR : LOG_WARNING,
             "event=withdrawn notice=%lld rule=%s site=%s was=%s reason=%s", (long long)notice->id, notice->rule,
             notice->site, notice_state_name(notice->state), notice_reason_name(REASON_RULE));
    if (notice->claimed)
        notice->rest = withheld_by(REASON_RULE);
    notice_move(notice, NOTICE_WITHDRAWN, REASON_RULE, NULL);
    notice_course(notice)->ended_at_ms = clock_now_ms(world->clock);
    news_notice(world, notice, &before);
    store_apply(world->store,
                &(struct store_change){.notices = &row, .notice_count = 1, .now_ms = notice->course->ended_at_ms}, NULL,
                NULL);
    snprintf(subject, sizeof subject, "Withdrawn in the middle: %s (notice %lld)", notice->rule, (long long)notice->id);
    if (notice->claimed && world->tell_operators)
        world->tell_operators(world->tell_ctx, subject,
                              "Its rule or its site left the configuration. Who was not told yet will not be.\n");
}

/* While the parts are made planning has its word first. */
void launches_end_orphan(struct launches *launches, struct notice *notice)
{
    struct world *world = launches->world;

    if (world->stopping)
        return;
    if (!notice_final(notice) && notice->state != NOTICE_WITHDRAWN)
        withdraw(world, notice);
    if (notice->course->tally.claimed > 0 && notice->course->channel && !world->copy && !is_asked(launches, notice))
        name_doubts(launches, notice);
}

void launches_forget_orphans(struct launches *launches)
{
    for (struct orphan *orphan = launches->orphans, *next; orphan; orphan = next) {
        next = orphan->next;
        store_cancel(&orphan->job);
        free(orphan);
    }
}
