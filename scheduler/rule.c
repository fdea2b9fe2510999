#include "rule.h"

#include <assert.h>
#include <string.h>

#define WHEN_EXPECTS                                                                                                   \
    "sale_start, sale_end, \"24h before sale_start\", \"30m after sale_end\" or \"18:00 the day before sale_start\""

enum { OFFSET_MAX_DAYS = 3650 }; /* far enough, and nothing overflows */

static struct text next_word(struct text *rest)
{
    struct text word = {0};

    while (rest->len && !word.len)
        word = text_cut(rest, ' ');
    return word;
}

static bool read_kind(struct text word, enum moment_kind *out)
{
    for (unsigned i = 0; i < MOMENT_KINDS; i++)
        if (text_is(word, moment_kind_name(i))) {
            *out = i;
            return true;
        }
    return false;
}

/* "18:00" -> 1080. */
static bool read_time_of_day(struct text word, int *minute_of_day)
{
    struct text hours = text_cut(&word, ':');
    int64_t hour, minute;

    if (hours.len != 2 || word.len != 2 || parse_i64(hours, 0, 23, &hour, NULL) < 0 ||
        parse_i64(word, 0, 59, &minute, NULL) < 0)
        return false;
    *minute_of_day = (int)(60 * hour + minute);
    return true;
}

static bool read_span_before(struct text word, struct text *rest, struct when *when)
{
    struct text side = next_word(rest);
    int64_t span_ms;

    if (parse_span(word, &span_ms, NULL) < 0 || span_ms > (int64_t)OFFSET_MAX_DAYS * DAY_MS)
        return false;
    if (!text_is(side, "before") && !text_is(side, "after"))
        return false;
    when->offset_ms = text_is(side, "before") ? -span_ms : span_ms;
    return read_kind(next_word(rest), &when->kind);
}

static bool read_day_before(struct text word, struct text *rest, struct when *when)
{
    when->day_before = true;
    return read_time_of_day(word, &when->minute_of_day) && text_is(next_word(rest), "the") &&
           text_is(next_word(rest), "day") && text_is(next_word(rest), "before") &&
           read_kind(next_word(rest), &when->kind);
}

int when_parse(struct text t, struct when *out, struct error *err)
{
    struct text rest = text_trim(t), word = next_word(&rest);
    struct when when = {0};
    bool read = read_kind(word, &when.kind) ||
                (memchr(word.ptr ? word.ptr : "", ':', word.len) ? read_day_before(word, &rest, &when)
                                                                 : read_span_before(word, &rest, &when));

    if (!read || next_word(&rest).len)
        return error_set(err, ERROR_CONFIG, "expected %s, found \"%.*s\"", WHEN_EXPECTS, TEXT_ARGS(t));
    *out = when;
    return 0;
}

int64_t when_due_at_ms(const struct when *when, int64_t at_ms, const struct zone *zone, enum zone_met *met)
{
    enum zone_met ignored;
    struct civil local;

    met = met ? met : &ignored;
    *met = ZONE_PLAIN;
    if (!when->day_before)
        return at_ms + when->offset_ms;
    local = zone ? zone_civil(zone, at_ms) : civil_of(at_ms);
    local = (struct civil){.year = local.year,
                           .month = local.month,
                           .day = local.day - 1,
                           .hour = when->minute_of_day / 60,
                           .minute = when->minute_of_day % 60};
    local = civil_of(civil_to_ms(local)); /* the day before the first is the last of another month */
    return zone ? zone_to_utc(zone, local, met) : civil_to_ms(local);
}

bool when_is_before(const struct when *when)
{
    return when->day_before || when->offset_ms < 0;
}

bool when_is_opening(const struct when *when)
{
    return when->kind == MOMENT_SALE_START && when->offset_ms == 0 && !when->day_before;
}

void buf_add_when(struct buf *buf, const struct when *when)
{
    const char *moment = when->kind == MOMENT_SALE_START ? "the sale starts" : "the sale ends";

    if (when->day_before)
        buf_addf(buf, "at %02d:%02d the day before %s", when->minute_of_day / 60, when->minute_of_day % 60, moment);
    else if (when->offset_ms) {
        buf_add_span(buf, when->offset_ms < 0 ? -when->offset_ms : when->offset_ms);
        buf_addf(buf, " %s %s", when->offset_ms < 0 ? "before" : "after", moment);
    } else
        buf_addf(buf, "when %s", moment);
}

/* --- configuration ---------------------------------------------------------------------------------------------- */

static int read_when(struct text t, void *field, struct arena *arena, struct error *err)
{
    return when_parse(t, field, err);
}

static int read_combine(struct text t, void *field, struct arena *arena, struct error *err)
{
    if (!text_is(t, "event"))
        return error_set(err, ERROR_CONFIG, "expected event");
    *(const char **)field = "event";
    return 0;
}

static int read_in_doubt(struct text t, void *field, struct arena *arena, struct error *err)
{
    if (!text_is(t, "keep") && !text_is(t, "repeat"))
        return error_set(err, ERROR_CONFIG, "expected keep or repeat");
    *(bool *)field = text_is(t, "repeat");
    return 0;
}

static const char *const drop_or_send[] = {[THEN_DROP] = "drop", [THEN_SEND] = "send", NULL};
static const char *const drop_send_or_hold[] = {[THEN_DROP] = "drop", [THEN_SEND] = "send", [THEN_HOLD] = "hold", NULL};

static const struct config_option scope_options[] = {
    {"events", CONFIG_LIST, offsetof(struct scope, events)},
    {"titles", CONFIG_LIST, offsetof(struct scope, titles)},
    {"definitions", CONFIG_LIST, offsetof(struct scope, definitions)},
    {0},
};

static const struct config_option not_started_options[] = {
    {"wait", CONFIG_SPAN, offsetof(struct patience, wait_ms), .fallback = "60s", .max = DAY_MS},
    {"then", CONFIG_WORD, offsetof(struct patience, then), .fallback = "send", .words = drop_send_or_hold},
    {0},
};

static const struct config_option unverified_options[] = {
    {"wait", CONFIG_SPAN, offsetof(struct patience, wait_ms), .fallback = "15m", .max = DAY_MS},
    {"then", CONFIG_WORD, offsetof(struct patience, then), .fallback = "drop", .words = drop_send_or_hold},
    {0},
};

static const struct config_option retry_options[] = {
    {"attempts", CONFIG_INT, offsetof(struct retry, attempts), .fallback = "8", .min = 1, .max = 100},
    {"first", CONFIG_SPAN, offsetof(struct retry, first_ms), .fallback = "1s", .min = 1, .max = DAY_MS},
    {"cap", CONFIG_SPAN, offsetof(struct retry, cap_ms), .fallback = "5m", .min = 1, .max = DAY_MS},
    {0},
};

const struct config_option rule_options[] = {
    {"", CONFIG_PLACE, offsetof(struct rule, place)},
    {"name", CONFIG_TEXT, offsetof(struct rule, name), .required = true},
    {"when", CONFIG_CUSTOM, offsetof(struct rule, when), .required = true, .expects = WHEN_EXPECTS, .read = read_when},
    {"sites", CONFIG_LIST, offsetof(struct rule, sites)},
    {"only", CONFIG_SECTION, offsetof(struct rule, only), .inside = scope_options},
    {"never", CONFIG_SECTION, offsetof(struct rule, never), .inside = scope_options},
    {"combine", CONFIG_CUSTOM, offsetof(struct rule, combine), .fallback = "event", .expects = "event",
     .read = read_combine},
    {"audiences", CONFIG_LIST, offsetof(struct rule, audiences), .required = true},
    {"notify", CONFIG_LIST, offsetof(struct rule, notify), .required = true},
    {"fallback", CONFIG_LIST, offsetof(struct rule, fallback)},
    {"template", CONFIG_TEXT, offsetof(struct rule, template_name), .required = true},
    {"gather_ahead", CONFIG_SPAN, offsetof(struct rule, gather_ahead_ms), .fallback = "10m", .max = 7LL * DAY_MS},
    {"catch_up", CONFIG_SPAN, offsetof(struct rule, catch_up_ms), .fallback = "30m", .max = 30LL * DAY_MS},
    {"consent_max_age", CONFIG_SPAN, offsetof(struct rule, consent_max_age_ms), .fallback = "1h", .max = 30LL * DAY_MS},
    {"finish_within", CONFIG_SPAN, offsetof(struct rule, finish_within_ms), .fallback = "10m"},
    {"if_not_started", CONFIG_SECTION, offsetof(struct rule, if_not_started), .inside = not_started_options},
    {"if_unverified", CONFIG_SECTION, offsetof(struct rule, if_unverified), .inside = unverified_options},
    {"if_sold_out", CONFIG_WORD, offsetof(struct rule, if_sold_out), .fallback = "drop", .words = drop_or_send},
    {"if_told", CONFIG_WORD, offsetof(struct rule, if_told), .fallback = "hold", .words = drop_send_or_hold},
    {"in_doubt", CONFIG_CUSTOM, offsetof(struct rule, repeat_in_doubt), .fallback = "keep", .expects = "keep or repeat",
     .read = read_in_doubt},
    {"retry", CONFIG_SECTION, offsetof(struct rule, retry), .inside = retry_options},
    {"seed", CONFIG_LIST, offsetof(struct rule, seed)},
    {"attach_calendar", CONFIG_BOOL, offsetof(struct rule, attach_calendar), .fallback = "false"},
    {0},
};

/* --- what it covers --------------------------------------------------------------------------------------------- */

static bool any_matches(const struct config_list *globs, const char *word)
{
    for (size_t i = 0; i < globs->count; i++)
        if (text_matches(text_of(word), globs->at[i]))
            return true;
    return false;
}

static bool allows(const struct config_list *globs, const char *word)
{
    return globs->count == 0 || any_matches(globs, word);
}

static bool has_site(const struct config_list *sites, const char *site)
{
    for (size_t i = 0; i < sites->count; i++)
        if (strcmp(sites->at[i], site) == 0)
            return true;
    return sites->count == 0;
}

bool rule_covers(const struct rule *rule, const struct definition *definition)
{
    const char *event = definition->event_id, *title = definition->event_title, *id = definition->id;

    return has_site(&rule->sites, definition->site) && allows(&rule->only.events, event) &&
           allows(&rule->only.titles, title) && allows(&rule->only.definitions, id) &&
           !any_matches(&rule->never.events, event) && !any_matches(&rule->never.titles, title) &&
           !any_matches(&rule->never.definitions, id);
}

int rule_repeats_below(const struct rule *rule)
{
    return rule->repeat_in_doubt ? (int)rule->retry.attempts : 0;
}

/* --- as people read it ------------------------------------------------------------------------------------------ */

/* "fans, door and press" */
static void add_names(struct buf *buf, const struct config_list *names)
{
    for (size_t i = 0; i < names->count; i++)
        buf_addf(buf, "%s%s", i == 0 ? "" : i + 1 < names->count ? ", " : " and ", names->at[i]);
}

static void add_scope(struct buf *buf, const char *word, const struct scope *scope)
{
    const struct {
        const char *name;
        const struct config_list *globs;
    } parts[] = {{"events", &scope->events}, {"titles", &scope->titles}, {"definitions", &scope->definitions}};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].globs->count) {
            buf_addf(buf, "; %s %s ", word, parts[i].name);
            add_names(buf, parts[i].globs);
        }
}

void buf_add_rule(struct buf *buf, const struct rule *rule, const char *languages)
{
    buf_addf(buf, "%s: ", rule->name);
    buf_add_when(buf, &rule->when);
    buf_adds(buf, ", to ");
    add_names(buf, &rule->audiences);
    buf_adds(buf, ", by ");
    add_names(buf, &rule->notify);
    if (rule->fallback.count) {
        buf_adds(buf, ", else by ");
        add_names(buf, &rule->fallback);
    }
    buf_addf(buf, ", template %s", rule->template_name);
    if (languages && *languages)
        buf_addf(buf, " (%s)", languages);
    if (rule->attach_calendar)
        buf_adds(buf, " and a calendar entry");
    buf_adds(buf, ", at most ");
    buf_add_span(buf, rule->catch_up_ms);
    buf_adds(buf, " late");
    if (rule->sites.count) {
        buf_adds(buf, "; at ");
        add_names(buf, &rule->sites);
    }
    add_scope(buf, "only", &rule->only);
    add_scope(buf, "never", &rule->never);
}
