/* history.h - a random history: where it stands, and what must hold in it. */
#ifndef ONSALE_REPLAY_HISTORY_H
#define ONSALE_REPLAY_HISTORY_H

#include "words.h"

enum {
    HISTORY_EVENTS = 3,
    HISTORY_TICKETS = 9, /* three of each event */
    HISTORY_PEOPLE = 16,
    HISTORY_AT_THE_DOOR = 12, /* those from there on are known to the audience "door", the others to "fans" */
    HISTORY_LOYAL = 3,        /* the first ones to both; they never leave, and nobody refuses them */
    HISTORY_RULES = 3,
    HISTORY_SLOT_MS = 5 * MINUTE_MS,     /* sales begin and end at such instants, so that they meet */
    HISTORY_AFTERWARDS_MS = 8 * HOUR_MS, /* by then everything has ended */
};

enum { HISTORY_FANS = 1, HISTORY_DOOR = 2 }; /* bits */

struct history_rule { /* as the configuration has it now */
    const char *name, *when, *audiences, *by, *template_name, *ahead, *retry;
    char more[256];
    bool gone;
};

struct history_limits { /* of each notifier */
    const char *doubt_max, *more;
};

/* A notice that has claimed, by what its rule said when it did. */
struct history_told {
    int64_t notice;
    bool known; /* what follows */
    unsigned audiences;
    const char *subject; /* its letters have these words in theirs */
    const char *by, *from;
    int64_t due_at_ms;
};

/* Instants are true ones, whatever the machine's clock shows; 0 never. */
struct history {
    struct replay replay;
    uint64_t seed, state;
    int64_t doubt_max;
    int64_t in_hand_ms; /* who was claimed has the message so long after, at most */
    bool trusting;      /* a rule sends also what nobody could verify, */
    bool retelling;     /* ... or what all of was told before */
    char paused[32];    /* since paused_at_ms: a notice, the notifier, or everything */
    int64_t paused_at_ms, suppressed_at_ms[HISTORY_PEOPLE], erased_at_ms[HISTORY_PEOPLE];
    int64_t changed_at_ms[HISTORY_EVENTS]; /* last change of an event's tickets */
    struct history_rule rules[HISTORY_RULES];
    struct history_limits limits;
    const char *poll_every;
    const char *from;          /* whose name is on the letters */
    struct history_told *told; /* in the order of their claims */
    size_t told_count;
    int64_t *letters; /* of which notice each letter is */
    size_t letter_count;
};

unsigned history_below(struct history *history, unsigned n);
bool history_chance(struct history *history, unsigned percent);
const char *history_any(struct history *history, const char *const *words, unsigned count);
#define ANY(history, ...)                                                                                              \
    history_any(history, (const char *const[]){__VA_ARGS__},                                                           \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
void history_check(struct history *history, int result, const struct error *err);

/* rules.c */
void history_choose_rules(struct history *history);
void history_write_rules(struct history *history); /* into the script, with the limits */
/* Some of them read otherwise from now on: by a reload, or by a start. */
void history_change_rules(struct history *history);
struct history_told history_told_now(const struct history *history, const struct notice *notice);
void history_started(struct history *history); /* the daemon was */
/* histories.c: in order, or by a crash; down for so long. */
void history_restart(struct history *history, int64_t down_ms);

/* promises.c */
int64_t history_true_ms(const struct history *history);
void history_address(unsigned person, char out[64]);
/* After every step. */
void history_watch(struct history *history);
/* When everything has come to rest. */
void history_look_back(struct history *history);
void history_clear(struct history *history);

#endif
