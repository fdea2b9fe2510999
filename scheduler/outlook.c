#include "outlook.h"

#include "forecast.h"
#include "news.h"

#include <string.h>

enum {
    SOON_MS = SECOND_MS, /* changes come in crowds: one thought for all of them */
    LISTED = 20,         /* notices in one letter */
};

struct outlook {
    struct world *world;
    struct alarm alarm;
    const struct notice **changed; /* of one thought */
    size_t changed_count, misfit_count;
    struct buf letter; /* about those that do not fit any more */
};

/* One notice on the notifier that is thought about. `ahead`: its forecast is kept. */
struct candidate {
    struct notice *notice;
    const struct rule *rule;
    int64_t people;
    bool ahead;
};

struct outlook *outlook_new(struct world *world)
{
    struct outlook *outlook = must_calloc(1, sizeof *outlook);

    outlook->world = world;
    return outlook;
}

void outlook_free(struct outlook *outlook)
{
    if (!outlook)
        return;
    alarm_off(&outlook->alarm);
    free(outlook);
}

static bool is_ahead(const struct notice *notice)
{
    return notice->state == NOTICE_PLANNED || notice->state == NOTICE_GATHERING || notice->state == NOTICE_READY;
}

/* -1: nobody has counted them. */
static int64_t people_of(const struct notice *notice)
{
    const struct tally *tally = &notice->course->tally;
    int64_t estimate = notice->course->estimate;

    if (notice->state == NOTICE_SENDING)
        return tally->waiting;
    if (notice->state == NOTICE_READY)
        return tally->planned;
    return estimate > tally->planned || tally->planned == 0 ? estimate : tally->planned;
}

static bool by_channel(struct world *world, const struct notice *notice, const struct channel *channel,
                       struct candidate *out)
{
    bool ahead = is_ahead(notice);
    struct world_rule *rule;

    if ((!ahead && notice->state != NOTICE_SENDING) || people_of(notice) < 0)
        return false;
    rule = world_rule_of(world, notice);
    if (!rule || world_channel_of(world, notice) != channel)
        return false;
    *out = (struct candidate){(struct notice *)(uintptr_t)notice, rule->plan.rule, people_of(notice), ahead};
    return true;
}

/* --- What changed ------------------------------------------------------------------------------------------------- */

static void add_to_letter(struct outlook *outlook, const struct notice *notice)
{
    if (outlook->misfit_count++ == LISTED)
        buf_adds(&outlook->letter, "and more: onsale notices\n");
    if (outlook->misfit_count > LISTED)
        return;
    buf_addf(&outlook->letter, "Notice %lld, rule %s, site %s, event %s, due ", (long long)notice->id, notice->rule,
             notice->site, notice->subject);
    buf_add_moment(&outlook->letter, notice->due_at_ms);
    buf_addf(&outlook->letter, ":\n%s\n\n", notice->course->forecast);
}

/* The notice has another forecast; logged when it does not fit, or fits again. */
static void note(struct outlook *outlook, const struct candidate *who, int64_t span_ms, const char *text)
{
    struct world *world = outlook->world;
    struct notice *notice = who->notice;
    struct notice_course *course = notice_course(notice);
    bool misfit = who->rule->finish_within_ms > 0 && span_ms > who->rule->finish_within_ms;
    bool was = notice->will_not_fit;

    if (course->forecast && strcmp(course->forecast, text) == 0 && misfit == was && span_ms == course->will_finish_ms)
        return;
    free(course->forecast);
    course->forecast = must_strdup(text);
    course->will_finish_ms = span_ms;
    notice->will_not_fit = misfit;
    outlook->changed[outlook->changed_count++] = notice;
    if (misfit || was)
        log_line(world->log, misfit ? LOG_WARNING : LOG_NOTICE,
                 "event=forecast notice=%lld rule=%s fits=%s people=%lld will_finish_ms=%lld text=%s",
                 (long long)notice->id, notice->rule, misfit ? "no" : "yes", (long long)who->people, (long long)span_ms,
                 LOG_QUOTED(text_of(text)));
    news_forecast(world, notice, who->people, who->rule->finish_within_ms);
    if (misfit && !was)
        add_to_letter(outlook, notice);
}

/* --- Thinking ----------------------------------------------------------------------------------------------------- */

static void think(struct outlook *outlook, struct channel *channel, struct candidate *who, size_t count)
{
    struct forecast_speed speed = {.rates = channel_settings(channel)->rate,
                                   .window = channel_window(channel),
                                   .answer_us = channel_answer_us(channel)};
    struct forecast_flow *flows = must_calloc(count + 1, sizeof *flows);
    int64_t now_ms = clock_now_ms(outlook->world->clock);

    for (size_t i = 0; i < count; i++)
        flows[i] =
            (struct forecast_flow){.due_at_ms = who[i].notice->due_at_ms > now_ms ? who[i].notice->due_at_ms : now_ms,
                                   .people = who[i].people,
                                   .opening = when_is_opening(&who[i].rule->when),
                                   .owner = &who[i]};
    forecast_make(&speed, flows, count);
    for (size_t i = 0; i < count; i++) {
        const struct candidate *mine = flows[i].owner;
        auto_buf struct buf text = {0};
        if (!mine->ahead)
            continue;
        buf_init(&text, 512);
        buf_add_forecast(&text, &speed, mine->people, flows[i].span_ms > forecast_span_ms(&speed, mine->people),
                         flows[i].span_ms, mine->rule->finish_within_ms);
        note(outlook, mine, flows[i].span_ms, text.ptr);
    }
    free(flows);
}

static void tell_misfits(struct outlook *outlook)
{
    const struct world *world = outlook->world;
    char subject[80] = "A launch will not fit";

    if (outlook->misfit_count == 0 || !world->tell_operators)
        return;
    if (outlook->misfit_count > 1)
        snprintf(subject, sizeof subject, "%zu launches will not fit", outlook->misfit_count);
    buf_adds(&outlook->letter, "A faster notifier, a larger finish_within or fewer people make it fit.\n");
    if (!buf_failed(&outlook->letter))
        world->tell_operators(world->tell_ctx, subject, outlook->letter.ptr);
}

static void keep_speed(const struct world *world, struct channel *channel)
{
    int64_t answer_us = channel_speed_news_us(channel);

    if (answer_us > 0)
        store_keep_speed(world->store,
                         &(struct store_speed){channel_settings(channel)->name, answer_us, clock_now_ms(world->clock)},
                         NULL, NULL);
}

static void on_alarm(void *ctx)
{
    struct outlook *outlook = ctx;
    struct world *world = outlook->world;
    struct candidate *who;

    if (world->stopping)
        return;
    who = must_calloc(world->notices.count + 1, sizeof *who);
    outlook->changed = must_calloc(world->notices.count + 1, sizeof *outlook->changed);
    outlook->changed_count = outlook->misfit_count = 0;
    buf_init(&outlook->letter, 64 * 1024);
    for (size_t c = 0; c < world->channel_count; c++) {
        size_t count = 0;
        for (size_t i = 0; i < world->notices.count; i++)
            count += by_channel(world, world->notices.at[i], world->channels[c], &who[count]);
        think(outlook, world->channels[c], who, count);
        keep_speed(world, world->channels[c]);
    }
    if (outlook->changed_count > 0)
        store_apply(world->store,
                    &(struct store_change){.notices = outlook->changed,
                                           .notice_count = outlook->changed_count,
                                           .now_ms = clock_now_ms(world->clock)},
                    NULL, NULL);
    tell_misfits(outlook);
    buf_clear(&outlook->letter);
    free(outlook->changed);
    free(who);
}

void outlook_refresh(struct outlook *outlook)
{
    if (outlook && !alarm_is_set(&outlook->alarm))
        alarm_set(outlook->world->alarms, &outlook->alarm, clock_now_ms(outlook->world->clock) + SOON_MS, on_alarm,
                  outlook);
}
