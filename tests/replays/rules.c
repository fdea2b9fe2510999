/* rules.c - the rules of a history, and how somebody rewrites them in the middle of it: other words, another time,
 * other people, another notifier, a rule that goes and comes back. */
#include "history.h"

#include <string.h>

void history_write_rules(struct history *history)
{
    struct script *script = &history->replay.stage.script;
    const struct history_limits *limits = &history->limits;

    snprintf(script->notifier, sizeof script->notifier, "from: %s <tickets@arena.example>, doubt_max: %s%s",
             history->from, limits->doubt_max, limits->more);
    snprintf(script->beside, sizeof script->beside, "post, from: %s <post@arena.example>, doubt_max: %s%s",
             history->from, limits->doubt_max, limits->more);
    for (size_t i = 0; i < HISTORY_RULES; i++) {
        const struct history_rule *rule = &history->rules[i];
        char line[512];
        snprintf(line, sizeof line,
                 "%s, when: %s, audiences: [%s], notify: [%s], template: %s, gather_ahead: %s, retry: %s%s", rule->name,
                 rule->when, rule->audiences, rule->by, rule->template_name, rule->ahead, rule->retry, rule->more);
        if (rule->gone)
            script_drop_rule(script, rule->name);
        else
            script_rule(script, line);
    }
}

static const char *any_template(struct history *history, const char *when)
{
    return strstr(when, "sale_end") ? "sale-ending" : ANY(history, "on-sale", "reminder");
}

static const char *any_retry(struct history *history)
{
    return ANY(history, "{attempts: 8, first: 1s, cap: 5m}", "{attempts: 2, first: 1s, cap: 5m}",
               "{attempts: 3, first: 10s, cap: 5m}", "{attempts: 8, first: 2m, cap: 5m}");
}

/* The first rule may be of any kind; the others are as most people would write them. */
void history_choose_rules(struct history *history)
{
    const char *unverified = ANY(history, "hold", "hold", "drop", "send");
    const char *told = ANY(history, "hold", "hold", "drop", "send");
    static const struct history_rule common = {.when = "sale_start",
                                               .audiences = "fans",
                                               .by = "mail",
                                               .template_name = "on-sale",
                                               .ahead = "10m",
                                               .retry = "{attempts: 8, first: 1s, cap: 5m}"};

    for (size_t i = 0; i < HISTORY_RULES; i++)
        history->rules[i] = common;
    history->from = "Arena";
    history->trusting = strcmp(unverified, "send") == 0;
    history->retelling = strcmp(told, "send") == 0;
    history->rules[0].name = "on-sale";
    history->rules[0].retry = any_retry(history);
    snprintf(history->rules[0].more, sizeof history->rules[0].more,
             ", if_not_started: {wait: %s, then: %s}, if_unverified: {wait: %s, then: %s}, if_told: %s,"
             " if_sold_out: %s",
             ANY(history, "10s", "1m"), ANY(history, "send", "hold", "drop"), ANY(history, "10s", "2m"), unverified,
             told, ANY(history, "drop", "send"));
    history->rules[1].name = "reminder";
    history->rules[1].when = "10m before sale_start";
    history->rules[1].template_name = "reminder";
    history->rules[2].name = "also";
    snprintf(history->rules[2].more, sizeof history->rules[2].more, ", if_told: drop");
}

/* --- Rewriting ---------------------------------------------------------------------------------------------------- */

static void rewrite_when(struct history *history, struct history_rule *rule)
{
    rule->when = ANY(history, "sale_start", "sale_start", "10m before sale_start", "20m before sale_start",
                     "2m after sale_start", "5m before sale_end");
    rule->template_name = any_template(history, rule->when);
}

static void rewrite(struct history *history, struct history_rule *rule)
{
    bool others = false;

    for (size_t i = 0; i < HISTORY_RULES; i++)
        others |= &history->rules[i] != rule && !history->rules[i].gone;
    switch (history_below(history, 8)) {
    case 0:
        rule->template_name = any_template(history, rule->when);
        break;
    case 1:
        rule->ahead = ANY(history, "10m", "2m", "20s");
        break;
    case 2:
        rule->audiences = ANY(history, "fans", "door", "fans, door", "door, fans");
        break;
    case 3:
        rule->retry = any_retry(history);
        break;
    case 4:
        rule->by = ANY(history, "mail", "post");
        break;
    case 5:
        rewrite_when(history, rule);
        break;
    case 6:
        history->from = ANY(history, "Arena", "Hall");
        break;
    default:
        rule->gone = others && !rule->gone;
    }
}

void history_change_rules(struct history *history)
{
    struct history_rule before[HISTORY_RULES];
    const char *from = history->from;
    struct error err = {0};

    memcpy(before, history->rules, sizeof before);
    for (unsigned n = 1 + history_below(history, 2); n > 0; n--)
        rewrite(history, &history->rules[history_below(history, HISTORY_RULES)]);
    history_write_rules(history);
    if (history_chance(history, 20)) {
        history_restart(history, 0);
        return;
    }
    if (stage_reload(&history->replay.stage, &err) == 0)
        return;
    if (err.kind != ERROR_CONFIG || !strstr(err.text, "has begun"))
        replay_fail(&history->replay, "%s", err.text);
    memcpy(history->rules, before, sizeof before); /* the old configuration stays */
    history->from = from;
    history_write_rules(history);
}

/* --- What a notice that has begun says ---------------------------------------------------------------------------- */

static unsigned audiences_of(const char *names)
{
    return (strstr(names, "fans") ? HISTORY_FANS : 0) | (strstr(names, "door") ? HISTORY_DOOR : 0);
}

static const char *subject_of(const char *template_name)
{
    return strcmp(template_name, "on-sale") == 0    ? "on sale now"
           : strcmp(template_name, "reminder") == 0 ? "sale opens on"
                                                    : "sale ends on";
}

/* "10m before sale_start" */
static int64_t offset_of(const char *when)
{
    int64_t span_ms = atoi(when) * MINUTE_MS;

    return strstr(when, "before") ? -span_ms : span_ms;
}

struct history_told history_told_now(const struct history *history, const struct notice *notice)
{
    struct history_told told = {.notice = notice->id};

    for (size_t i = 0; i < HISTORY_RULES; i++) {
        const struct history_rule *rule = &history->rules[i];
        if (strcmp(rule->name, notice->rule) != 0 || rule->gone)
            continue;
        told.known = true;
        told.audiences = audiences_of(rule->audiences);
        told.subject = subject_of(rule->template_name);
        told.by = rule->by;
        told.from = history->from;
        told.due_at_ms = notice->at_ms + offset_of(rule->when);
    }
    return told;
}

/* A start knows the rules as they are by then, and no others; but whose claims they are is not forgotten, and those who
 * were read before may still be told. */
void history_started(struct history *history)
{
    for (size_t i = 0; i < history->told_count; i++) {
        struct history_told *told = &history->told[i];
        const struct notice *notice = notices_find(&history->replay.stage.world.notices, told->notice);
        struct history_told now = notice ? history_told_now(history, notice) : (struct history_told){0};
        told->known &= now.known;
        told->audiences |= now.audiences;
        told->subject = now.subject;
        told->from = now.from;
    }
}
