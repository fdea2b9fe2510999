/* channel.h - one configured notifier: its plugin, window, pace and brake. Loop thread.
 * dispatch claims deliveries and hands them over; every one comes back exactly once through `finish`. */
#ifndef ONSALE_CHANNEL_H
#define ONSALE_CHANNEL_H

#include "alarm.h"
#include "config.h"
#include "fetch.h"
#include "log.h"
#include "metrics.h"
#include "notice.h"
#include "pace.h"

struct channel;

struct channel_settings { /* read by channel_options; the plugin's own keys are read by its table */
    struct config_place place;
    const char *name, *plugin;
    struct config_rates rate;
    int64_t deadline_ms; /* from due: nothing is claimed after it */
    int64_t doubt_max;   /* 0: twice the window */
    const char *from, *envelope_from, *list_id, *unsubscribe_url;
    bool one_click;
};
extern const struct config_option channel_options[];

struct channel_delivery {
    int64_t notice;
    uint32_t seq;
    int attempt;
    const char *to, *from, *token; /* copied */
    struct buf raw; /* taken over; in its place comes an empty one, perhaps with memory, that is the sender's */
};

enum channel_scope { SCOPE_ADDRESS, SCOPE_MESSAGE, SCOPE_CHANNEL };
struct channel_result {
    int64_t notice;
    uint32_t seq;
    int attempt;
    enum fate fate; /* accepted, try later, refused, in doubt, returned */
    enum channel_scope scope;
    int code;
    const char *text;          /* without addresses; gone after the call; NULL none */
    int64_t retry_after_ms;    /* -1 when nothing was asked for */
    int64_t handed_over_at_ms; /* the last byte was written; MOMENT_NONE: never */
};
struct channel_wait {
    int64_t until_ms;
    unsigned rests;   /* how often in a row */
    const char *text; /* what it said, without addresses */
};
struct channel_events {
    /* Several come one after another; `room` follows the last of them. */
    void (*finish)(void *ctx, struct channel *channel, const struct channel_result *result);
    /* The channel cannot work (wrong password, relay gone): `text` for people. needs_person: no use trying again before
     * a reload; else it tries by itself and says `well` when it works. */
    void (*trouble)(void *ctx, struct channel *channel, const char *text, bool needs_person);
    void (*well)(void *ctx, struct channel *channel);
    void (*room)(void *ctx, struct channel *channel); /* claims are possible again */
    /* The receiver asked us to wait: keep it, so that the next start waits too. NULL: it is over. */
    void (*asked)(void *ctx, struct channel *channel, const struct channel_wait *wait);
    void *ctx;
};
struct wires; /* wire.h */
struct channel_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct wires *wires;
    struct log *log;
    struct metrics *metrics; /* or NULL */
};

/* A plugin that was looked up, and its own option table for the configuration's check. The shared object itself is
 * never unloaded: a channel goes on without this. */
struct channel_plugin;
/* `folders`: NULL-terminated, searched in order. NULL and `err` when there is none. */
struct channel_plugin *channel_plugin_find(const char *const *folders, const char *name, struct error *err);
void channel_plugin_free(struct channel_plugin *plugin); /* NULL is fine */
const struct config_option *
channel_plugin_options(const struct channel_plugin *plugin); /* its own; ends with a NULL name */
size_t channel_plugin_state_size(const struct channel_plugin *plugin);
/* Whether the options in `state` name a target that is loopback or a folder; asked before any channel is made. */
bool channel_plugin_is_local(const struct channel_plugin *plugin, const void *state);

/* `state`: the plugin's struct as filled by config_read_at() with channel_plugin_options(); taken over (heap). What it
 * points to is copied. `settings` are borrowed until the end or channel_go_on(). */
struct channel *channel_new(const struct channel_settings *settings, const struct channel_plugin *plugin, void *state,
                            const struct channel_parts *parts, const struct channel_events *events, struct error *err);
void channel_free(struct channel *channel); /* unfinished deliveries are dropped: call channel_stop() first */
const struct channel_settings *channel_settings(const struct channel *channel);
bool channel_is_local(const struct channel *channel); /* loopback or a folder: no unsubscribe link is demanded */
bool channel_repeat_replaces(const struct channel *channel);

int64_t channel_window(const struct channel *channel); /* deliveries that the plugin takes at a time */
/* How long one takes from there to its answer, in the middle of the last hundreds; 0: too few have been answered. */
int64_t channel_answer_us(const struct channel *channel);
/* The same, when it is another than when it was asked last: to be kept for the next start. 0: no news. */
int64_t channel_speed_news_us(struct channel *channel);
void channel_recall_speed(struct channel *channel, int64_t answer_us); /* as an earlier start has kept it; 0: not */
int64_t channel_doubt_max(const struct channel *channel);
/* What an earlier start has left, before anything is claimed: `claims` of the time that channel_memory_ms() names, the
 * oldest first, count against the rate; `wait` is kept. Either may be none. */
int64_t channel_memory_ms(const struct channel *channel);
void channel_recall(struct channel *channel, const struct pace_claim *claims, size_t count,
                    const struct channel_wait *wait);
/* How many more deliveries may be claimed now: doubt_max less what is out (claimed, and not yet forgotten by
 * channel_settled()), cut to what pace allows within the next 50 ms; 0 while in trouble, resting or stopping, and one
 * when that one is to tell whether the other side works again. `settling` of those out get their fate in the
 * transaction that makes the claim: they are in doubt no longer when it counts. */
int64_t channel_room(struct channel *channel, int64_t now_ms, int64_t settling);
/* When pace and what the receiver asked for let the next claim be made (now, if they do); says nothing of the other
 * limits. */
int64_t channel_ready_at_ms(struct channel *channel, int64_t now_ms);
/* How much longer it rests, because it was asked to or because nothing gets through; 0: it does not. */
int64_t channel_rest_ms(const struct channel *channel);
/* A claim of `count` is being made: counts against room and pace at once. */
void channel_claimed(struct channel *channel, int64_t now_ms, int64_t count);
/* `count` claimed ones have their fate on disk. */
void channel_settled(struct channel *channel, int64_t count);
/* `count` of a claim were never claimed after all: fewer were there than asked for, or the ledger could not take it. */
void channel_unclaimed(struct channel *channel, int64_t count);
/* A claimed one will not be sent: it gets its fate without us. */
void channel_spared(struct channel *channel);
void channel_send(struct channel *channel, struct channel_delivery *delivery);
/* What has not begun to leave of a notice comes back as returned, with that text. */
void channel_call_back(struct channel *channel, int64_t notice, const char *text);
void channel_warm(struct channel *channel); /* a release is near: open connections */
/* What a person has to repair before anything can leave; NULL: nothing. */
const char *channel_needs_person(const struct channel *channel);
/* Why nothing leaves at the moment, also what it tries to get over by itself; NULL: nothing is wrong. */
const char *channel_trouble(const struct channel *channel);
/* How it stands, for people. */
enum channel_state {
    CHANNEL_WELL,
    CHANNEL_WAITING, /* the receiver asked for it */
    CHANNEL_FAILING, /* nothing gets through; it tries again by itself */
    CHANNEL_TRYING,  /* one message is let through, to see whether it works again */
    CHANNEL_BROKEN,  /* a person has to repair something */
};
const char *channel_state_name(enum channel_state state);
struct channel_standing {
    enum channel_state state;
    const char *text; /* why; NULL: well. No moment of the past is in it */
    int64_t until_ms; /* waiting, failing: when it tries again; else MOMENT_NONE */
};
struct channel_standing channel_standing(const struct channel *channel);
/* An operator says the repair is done: trouble is tried again now, whatever the receiver asked for. Nothing without. */
void channel_try_again(struct channel *channel);
void channel_rest(struct channel *channel); /* nothing to send for a while: close them */
/* No new work for the plugin; what has not begun comes back as returned at once, the rest within grace. */
void channel_stop(struct channel *channel, int64_t grace_ms);
size_t channel_in_flight(const struct channel *channel);
int64_t channel_out(const struct channel *channel); /* claimed, and not settled */

/* --- Over a reload --- */

/* Whether it could go on under settings with these options of the plugin: they are its own, and it is well. */
bool channel_could_serve(const struct channel *channel, const struct channel_plugin *plugin, const void *state);
/* Instead of channel_stop(): no new work, what has not begun comes back, and the connections stay. When the grace is
 * over with something in flight it stops after all; channel_stop() may follow. */
void channel_keep(struct channel *channel, int64_t grace_ms);
bool channel_is_kept(const struct channel *channel); /* nothing is in flight, and channel_go_on() may come */
/* As if it had been made anew with these settings: channel_recall() follows. The plugin has not noticed. */
void channel_go_on(struct channel *channel, const struct channel_settings *settings,
                   const struct channel_events *events);
/* For `check --online`: says what was seen, or why not, through `done`. */
void channel_probe(struct channel *channel, void (*done)(void *ctx, bool fine, const char *text), void *ctx);

#endif
