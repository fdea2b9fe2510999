/* world.h - what the flow knows and works with: the mirrors, the notices, and the edges it speaks to. Built by daemon.c
 * (or by a replay), which owns everything in it; loop thread. */
#ifndef ONSALE_WORLD_H
#define ONSALE_WORLD_H

#include "audience/audience.h"
#include "channel.h"
#include "message.h"
#include "opening.h"
#include "plan.h"
#include "source/source.h"
#include "store/store.h"

struct gatekeeper;
struct sync;
struct launches;
struct dispatch;
struct outside;
struct estimates;
struct outlook;
struct unsubscribe_texts;
struct calendar_texts;
struct events;
struct progress;
struct writeback;
struct metrics;
struct playbook;
struct feed;
struct webhooks;
struct private_feeds;

struct world_site {
    char *name; /* ours: outlives a reload */
    const struct site_settings *settings;
    struct source *source;
    struct definitions definitions;
    int64_t first_walked_at_ms; /* MOMENT_NONE: this store has never walked it completely */
    int64_t watermark_ms;
    int64_t clock_ahead_ms; /* ours, of the Date of its last answer; 0 while it gave none */
    struct gatekeeper *gate;
    struct sync *sync;
};

/* What a rule says, with the parts it works with. */
struct world_rule {
    struct plan_rule plan;
    struct message_templates *templates;
    struct audience **audiences; /* in the rule's order */
    size_t audience_count;
    struct channel *channel;
    const struct message_mail *mail;
    const struct message_sender *sender;
};

/* A notice that had begun when the configuration was read again: it ends by the rule that it began with. */
struct world_begun {
    int64_t notice;
    struct world_rule *rule;
};

struct world {
    const struct clock *clock;
    struct alarms *alarms;
    struct store *store;
    struct log *log;
    struct zones *zones;
    struct locales *locales;
    const struct crypt_keys *keys;
    struct crypt_tokens *tokens;
    const struct message_sender *sender;
    const char *public_url; /* where people reach us, without a '/' at its end; "" nobody said */
    const struct unsubscribe_texts *unsubscribe_texts; /* of the cast; NULL: there is none */
    const struct calendar_texts *calendar_texts;       /* likewise */

    struct world_site *sites;
    size_t site_count;
    struct world_rule *rules;
    size_t rule_count;
    struct world_begun *begun;
    size_t begun_count;
    struct playbook *playbooks; /* where all these rules live */
    struct channel **channels;
    size_t channel_count;
    const struct message_mail *mails; /* of each channel, in their order: as the configuration says now */
    struct audience **audiences;      /* all that are configured; borrowed */
    size_t audience_count;

    struct notices notices;
    struct openings openings;
    struct store_fact *first_loads; /* of rules, by name */
    size_t first_load_count;
    struct store_pause *pauses;
    size_t pause_count;

    const char *copy;         /* why no claim may be made (promise 9), or NULL */
    int64_t configured_at_ms; /* when the configuration that is at work was read */
    char *reload_refused;     /* why a later one is not; NULL: there is none */
    char *restart_for;        /* what of it waits for a restart; NULL: nothing */
    struct world_disk {
        struct error why; /* no claim may be made: no room, or the disk does not work; ERROR_NONE: all is well */
        bool tight;       /* no people are read and no sites walked: there is room for claims and fates alone */
        bool told;        /* ... and operators know */
        bool looked;      /* at all, since the start */
    } disk;
    bool frozen;      /* the clock was stepped: nothing irreversible until the site's Date agrees */
    bool clock_known; /* ... and not before it has been compared with one since the start, if there is one */
    bool stopping;

    struct outside *outside;
    struct dispatch *dispatch;
    struct launches *launches;
    struct estimates *estimates;
    struct outlook *outlook;
    struct events *events;       /* what happened, for who watches; NULL: nobody keeps it */
    struct progress *progress;   /* NULL with it */
    struct writeback *writeback; /* NULL: nobody is told */
    struct metrics *metrics;     /* NULL: nobody counts */
    struct feed *feed;           /* NULL: there are no calendars */
    struct webhooks *webhooks;   /* likewise */
    struct private_feeds *private_feeds;

    /* Tells the operators; `subject` is one line. May be NULL. */
    void (*tell_operators)(void *ctx, const char *subject, const char *body);
    void *tell_ctx;
};

/* What the store remembers becomes the world's memory: sets are taken out of the image. */
void world_take(struct world *world, struct store_image *image);
void world_forget(struct world *world); /* frees mirrors, notices, openings, pauses */

struct world_site *world_site(struct world *world, const char *name);
struct world_rule *world_rule(struct world *world, const char *name);
/* By which it goes on: the one it began with, else the one of its rule's name; NULL: the rule left the configuration.
 */
struct world_rule *world_rule_of(struct world *world, const struct notice *notice);
/* By which notifier it goes, or would: claims and fates of a notice stay with one, whatever the rule says by now. NULL:
 * that one, or the rule, left the configuration. */
struct channel *world_channel_of(const struct world *world, const struct notice *notice);
bool world_clock_sure(const struct world *world);                 /* else nobody is missed, expired or forgotten */
bool world_paused(const struct world *world, const char *target); /* that target or everything */
const struct zone *world_zone(void *world, const char *name);     /* a plan_zone_fn */

/* When a rule of this name first came to this store: now, when it never did. The caller stores it. */
int64_t world_first_load_ms(struct world *world, const char *rule, int64_t now_ms);

/* Sets or lifts a pause in memory; the caller stores it. Lifting "*" lifts all. */
void world_pause(struct world *world, const char *target, const char *who, int64_t now_ms);
void world_unpause(struct world *world, const char *target);

#endif
