#include "follow.h"

#include "news.h"
#include "outlook.h"

#include <assert.h>

/* Found too late already, as after an outage: no launch will look at it, so it is told here. */
static void tell_missed(struct world *world, const struct notice *notice)
{
    auto_buf struct buf subject = {0}, body = {0};

    if (!world->tell_operators || notice->reason != REASON_LATE)
        return;
    buf_init(&subject, 256);
    buf_init(&body, 1024);
    buf_addf(&subject, "Missed: %s (notice %lld)", notice->rule, (long long)notice->id);
    buf_addf(&body, "Notice %lld, rule %s, site %s, event %s\nwas due ", (long long)notice->id, notice->rule,
             notice->site, notice->subject);
    buf_add_moment(&body, notice->due_at_ms);
    buf_addf(&body, ", and catch_up is over: nobody was told.\n\nonsale again %lld\n", (long long)notice->id);
    if (!buf_failed(&subject) && !buf_failed(&body))
        world->tell_operators(world->tell_ctx, subject.ptr, body.ptr);
}

static struct notice *add_notice(struct world *world, const char *site, const struct plan_step *step, int64_t now_ms)
{
    if (world->notices.next_id == 0)
        world->notices.next_id = 1;
    struct notice *notice =
        notice_new(world->notices.next_id, site, step->subject, step->rule->name, step->kind, step->at_ms, 1);

    notice->roll = notice->id;
    notice->due_at_ms = step->due_at_ms;
    notice->unsaved = true;
    if (step->action == PLAN_ADD_MISSED) {
        notice_move(notice, NOTICE_MISSED, step->reason, NULL);
        notice_course(notice)->ended_at_ms = now_ms;
        tell_missed(world, notice);
    }
    notices_put(&world->notices, notice);
    news_notice(world, notice, NULL);
    log_line(world->log, step->reason == REASON_LATE ? LOG_WARNING : LOG_INFO,
             "event=%s notice=%lld rule=%s site=%s subject=%s due_in_ms=%lld%s%s", notice_state_name(notice->state),
             (long long)notice->id, notice->rule, notice->site, notice->subject,
             (long long)(notice->due_at_ms - now_ms), step->reason ? " reason=" : "",
             step->reason ? notice_reason_name(step->reason) : "");
    return notice;
}

static void take_over(struct notice *to, struct notice *from)
{
    struct notice_course *mine = notice_course(to), *theirs = notice_course(from);

    to->roll = from->roll;
    mine->pass = theirs->pass;
    mine->begun = theirs->begun;
    mine->begun_at_ms = theirs->begun_at_ms;
    mine->made_of = theirs->made_of;
    mine->gathered_at_ms = theirs->gathered_at_ms;
    mine->tally = theirs->tally;
    mine->estimate = theirs->estimate;
    from->roll = 0;
    theirs->pass = theirs->begun = theirs->made_of = 0;
    theirs->tally = (struct tally){0};
}

static void change_notice(struct world *world, const struct plan_step *step, struct notice *last_added, int64_t now_ms)
{
    struct notice *notice = step->notice ? step->notice : last_added;

    assert(notice); /* a step without one follows the step that made it */
    enum notice_state before = notice->state;
    int64_t was_due_at_ms = notice->due_at_ms;
    notice->unsaved = true;
    switch (step->action) {
    case PLAN_WITHDRAW:
        if (notice->claimed)
            notice->rest = withheld_by(step->reason);
        notice_move(notice, NOTICE_WITHDRAWN, step->reason, NULL);
        notice_course(notice)->ended_at_ms = now_ms;
        break;
    case PLAN_BRING_BACK:
        notice_move(notice, NOTICE_PLANNED, REASON_NONE, NULL);
        if (notice->roll == 0) /* its people went to another: a list of its own again, under a number nobody has */
            notice->roll = world->notices.next_id++;
        notice->due_at_ms = step->due_at_ms;
        notice_course(notice)->ended_at_ms = MOMENT_NONE;
        break;
    case PLAN_MISS:
        if (notice->state == NOTICE_GATHERING) /* its people were never read whole */
            notice_move(notice, NOTICE_HELD, REASON_CONSENT, NULL);
        notice_move(notice, NOTICE_MISSED, step->reason, NULL);
        notice_course(notice)->ended_at_ms = now_ms;
        tell_missed(world, notice);
        break;
    case PLAN_RETIME:
        notice->due_at_ms = step->due_at_ms;
        break;
    case PLAN_TAKE_OVER:
        take_over(notice, step->from);
        step->from->unsaved = true;
        break;
    default:
        break;
    }
    if (notice->state != before || notice->due_at_ms != was_due_at_ms)
        news_notice(world, notice, &before);
    if (step->action != PLAN_TAKE_OVER)
        log_line(world->log, LOG_INFO, "event=replanned notice=%lld rule=%s state=%s%s%s", (long long)notice->id,
                 notice->rule, notice_state_name(notice->state), step->reason ? " reason=" : "",
                 step->reason ? notice_reason_name(step->reason) : "");
}

void follow_plan(struct world *world, const char *site, const struct plan *plan)
{
    int64_t now_ms = clock_now_ms(world->clock);
    struct notice *last_added = NULL;

    for (size_t i = 0; i < plan->count; i++)
        if (plan->steps[i].action == PLAN_ADD || plan->steps[i].action == PLAN_ADD_MISSED)
            last_added = add_notice(world, site, &plan->steps[i], now_ms);
        else
            change_notice(world, &plan->steps[i], last_added, now_ms);
    if (plan->count > 0)
        outlook_refresh(world->outlook);
}
