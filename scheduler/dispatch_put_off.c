/* People whose own mail servers put them off: an operator hears of it while it is so, and not only in the report. */
#include "dispatch_private.h"

#include <string.h>

enum { GATHER_MS = 10 * SECOND_MS }; /* at the latest: a first wave is told as one */

void dispatch_put_off(struct sending *sending, const char *said)
{
    struct put_off *mine = &sending->put_off;

    if (!*mine->said)
        mine->since_ms = clock_mono_ms(sending->line->dispatch->world->clock);
    snprintf(mine->said, sizeof mine->said, "%s", said);
}

/* Who waits and is neither asked for the first time nor on their way. */
static int64_t people_of(const struct sending *sending)
{
    const struct tally *tally = &sending->spec.notice->course->tally;
    int64_t firsts = sending->exhausted ? 0 : tally->planned - sending->claimed_to;
    int64_t people = tally->waiting - (firsts > 0 ? firsts : 0) - (int64_t)sending->out;

    return people > 0 ? people : 0;
}

static void say(struct sending *sending, int64_t people)
{
    struct log *log = sending->line->dispatch->world->log;
    auto_buf struct buf at;

    buf_init(&at, 64);
    buf_add_moment(&at, again_next_at_ms(&sending->again));
    log_line(log, LOG_WARNING, "event=put_off notice=%lld rule=%s notifier=%s people=%lld next_at=%.*s said=%s",
             (long long)sending->spec.notice->id, sending->spec.notice->rule,
             channel_settings(sending->line->channel)->name, (long long)people, TEXT_ARGS(buf_text(&at)),
             LOG_QUOTED(text_of(sending->put_off.said)));
}

/* The first wave is out, or takes its time. */
static bool is_gathered(const struct sending *sending, int64_t mono_ms)
{
    return sending->put_off.seldom.on || (sending->exhausted && sending->out == 0) ||
           mono_ms - sending->put_off.since_ms >= GATHER_MS;
}

static void look(struct sending *sending, int64_t mono_ms)
{
    struct put_off *mine = &sending->put_off;
    int64_t people = people_of(sending);

    if (people > 0 && again_next_at_ms(&sending->again) != MOMENT_NONE) {
        if (is_gathered(sending, mono_ms) && seldom_goes_on(&mine->seldom, mono_ms, false))
            say(sending, people);
        return;
    }
    if (people > 0 || sending->out > 0) /* another attempt is under way */
        return;
    if (mine->seldom.on)
        log_line(sending->line->dispatch->world->log, LOG_NOTICE,
                 "event=put_off_over notice=%lld rule=%s notifier=%s seconds=%lld", (long long)sending->spec.notice->id,
                 sending->spec.notice->rule, channel_settings(sending->line->channel)->name,
                 (long long)((mono_ms - mine->since_ms) / SECOND_MS));
    *mine = (struct put_off){0};
}

void line_look_at_put_off(struct line *line)
{
    int64_t mono_ms = clock_mono_ms(line->dispatch->world->clock);

    for (struct sending *sending = line->sendings; sending; sending = sending->next)
        if (*sending->put_off.said)
            look(sending, mono_ms);
}

bool dispatch_put_off_of(const struct dispatch *dispatch, const struct notice *notice, struct dispatch_put_off *out)
{
    for (const struct line *line = dispatch->lines; line; line = line->next)
        for (const struct sending *sending = line->sendings; sending; sending = sending->next) {
            if (sending->spec.notice != notice || !*sending->put_off.said)
                continue;
            *out = (struct dispatch_put_off){.people = people_of(sending),
                                             .next_at_ms = again_next_at_ms(&sending->again),
                                             .notifier = channel_settings(line->channel)->name,
                                             .said = sending->put_off.said};
            return out->people > 0;
        }
    return false;
}
