/* channel_private.h - what the files of a channel share: channel.c (queue, answers, stopping), channel_claims.c (who
 * may go when), channel_trouble.c (what keeps it from working), channel_kept.c (over a reload), channel_plugin.c
 * (loading), channel_host.c (what a plugin may ask for). */
#ifndef ONSALE_CHANNEL_PRIVATE_H
#define ONSALE_CHANNEL_PRIVATE_H

#include "breaker.h"
#include "channel_job.h"

struct channel_plugin {
    const struct notifier *notifier; /* the shared object's */
    struct config_option *options;
};

enum { CHANNEL_ANSWERS = 256 }; /* that the mean of their times is taken over */

struct channel {
    const struct channel_settings *settings;
    const struct notifier *notifier;
    void *state;        /* the plugin's */
    void *asked;        /* ... as it was before it was opened: its options */
    struct arena texts; /* of the options: a configuration may go before its channel does */
    struct channel_parts parts;
    struct channel_events events;
    struct notifier_host host;

    struct pace pace;
    struct alarm wake; /* pace or the breaker allows again */
    struct breaker breaker;
    bool probe_claimed;          /* ... and not sent yet */
    char breaker_text[400];      /* why it is open, for people */
    size_t breaker_said_at;      /* where in it the moment is behind us, which passes */
    char asked_text[300];        /* what the receiver said, when it asked us to wait */
    bool asked_news, asked_kept; /* dispatch has to hear of it; has heard, and keeps it for the next start */
    int64_t window, doubt_max;
    int64_t out; /* claimed and not settled */
    struct metric_series *answered_in;
    int64_t answer_us, answers; /* how long the plugin takes: a running mean, and of how many */
    int64_t answer_kept_us;     /* ... as the store knows it */

    struct jobs jobs;
    struct job_list queued, answered;
    size_t in_flight; /* sent and not yet told */
    bool busy;        /* the plugin said so */
    bool draining;

    bool troubled, needs_person;
    bool room_news;                  /* there may be room again */
    bool trouble_told, trouble_news; /* what dispatch knows; whether there is more to say */
    char trouble_text[300];
    unsigned tries;
    int64_t well_since_ms; /* monotonic */

    bool stopping, kept, freed, opened;
    size_t offloads; /* of the plugin, on the pool */
    unsigned handles;
    uv_idle_t tell;   /* runs while there is something to tell dispatch */
    uv_timer_t retry; /* out of trouble */
    uv_timer_t grace;
};

/* channel.c, for the host table */
void channel_take_result(struct channel *channel, struct notifier_delivery *delivery,
                         const struct notifier_result *result);
void channel_take_ready(struct channel *channel);
void channel_offload_ended(struct channel *channel);

/* channel_trouble.c: for the host table; and what dispatch has to hear */
void channel_take_trouble(struct channel *channel, const char *text, bool needs_person);
void channel_take_well(struct channel *channel);
void channel_tell_trouble(struct channel *channel);
/* channel_claims.c: what came of a delivery says something of the other side; what dispatch has to keep of it. */
void channel_note_outcome(struct channel *channel, const struct channel_job *job);
void channel_tell_asked(struct channel *channel);
void channel_reached(struct channel *channel); /* a connection works; messages may or may not */
void channel_close_breaker(struct channel *channel);
/* channel_plugin.c: the texts of its options go into that arena; whether the options of two states say the same. */
void channel_plugin_own(const struct notifier *notifier, void *state, struct arena *arena);
bool channel_plugin_same(const struct notifier *notifier, const void *a, const void *b);
/* channel.c */
void channel_stop_soon(struct channel *channel, int64_t grace_ms); /* no more claims; at the end of grace it stops */
void channel_set_limits(struct channel *channel);                  /* from its settings */
void channel_tell_soon(struct channel *channel);
void channel_return_queued(struct channel *channel, const char *text);

/* channel_host.c */
extern const struct notifier_host channel_host;

#endif
