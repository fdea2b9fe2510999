/* rule.h - what the team wants said: which definitions, when relative to the moment, to which audiences, by which
 * notifiers, with which template. Pure values, read from the configuration; texts belong to its arena. */
#ifndef ONSALE_RULE_H
#define ONSALE_RULE_H

#include "clock.h"
#include "config.h"
#include "definition.h"
#include "zone.h"

/* `when`: the moment itself; a span before or after it; or a time of day on the day before it. */
struct when {
    enum moment_kind kind;
    int64_t offset_ms; /* negative is before */
    bool day_before;   /* then minute_of_day counts, in the event's zone or else the site's */
    int minute_of_day;
};

int when_parse(struct text t, struct when *out, struct error *err);
/* The instant a notice is due. `met` (may be NULL) says whether a day-before time fell in a gap or overlap. */
int64_t when_due_at_ms(const struct when *when, int64_t at_ms, const struct zone *zone, enum zone_met *met);
bool when_is_before(const struct when *when);                /* due before the moment: ends at the moment itself */
bool when_is_opening(const struct when *when);               /* said at the very moment a sale starts */
void buf_add_when(struct buf *buf, const struct when *when); /* "when the sale starts", "24h before ..." */

struct scope { /* globs; an empty list does not restrict */
    struct config_list events, titles, definitions;
};

enum otherwise { THEN_DROP, THEN_SEND, THEN_HOLD };
struct patience { /* if_not_started, if_unverified: wait so long, then ... */
    int64_t wait_ms;
    enum otherwise then;
};

struct retry {
    int64_t attempts;
    int64_t first_ms, cap_ms;
};

struct rule {
    const char *name;
    struct config_place place;
    struct when when;
    struct config_list sites; /* names; empty: the only site there is */
    struct scope only, never;
    const char *combine; /* "event" */
    struct config_list audiences, notify, fallback;
    const char *template_name;
    int64_t gather_ahead_ms, catch_up_ms, consent_max_age_ms, finish_within_ms;
    struct patience if_not_started, if_unverified;
    enum otherwise if_sold_out; /* drop or send */
    enum otherwise if_told;     /* hold, send or drop */
    bool repeat_in_doubt;       /* in_doubt: keep or repeat */
    struct retry retry;
    struct config_list seed; /* addresses of our own eyes */
    bool attach_calendar;    /* the opening hangs on each message as a calendar entry; kind is sale_start then */
};

extern const struct config_option rule_options[]; /* reads a struct rule */

/* Does the rule speak of this definition (visibility is not asked here)? */
bool rule_covers(const struct rule *rule, const struct definition *definition);

/* What is in doubt is tried again when its attempt was below this. A repeat counts as an attempt: each may have
 * arrived. */
int rule_repeats_below(const struct rule *rule);

/* "on-sale: when the sale starts, to fans and door, by mail, template on-sale, at most 30m late" */
void buf_add_rule(struct buf *buf, const struct rule *rule, const char *languages);

#endif
