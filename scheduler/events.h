/* events.h - what happened, for whoever watches: the last events in a ring, each with an id, a type and one line of
 * JSON. Who watches is called from the loop, never from inside what happened. No address, name or key of a person ever
 * stands in an event. Loop thread.
 *
 * An id is "GENERATION-NUMBER": numbers rise by one, and no two starts of the program share a generation. */
#ifndef ONSALE_EVENTS_H
#define ONSALE_EVENTS_H

#include "alarm.h"
#include "metrics.h"

#include <jansson.h>

/* The names are part of the contract. */
enum event_type {
    EVENT_NOTICE,      /* a notice was planned, or moved to another state */
    EVENT_PROGRESS,    /* how far one that gathers or sends is */
    EVENT_FORECAST,    /* how long a notice ahead of us will take is known, or another */
    EVENT_OPENING,     /* an opening is new, moved, changed or withdrawn */
    EVENT_PAUSE,       /* a notice, a notifier or everything stands still ... */
    EVENT_RESUME,      /* ... and goes on */
    EVENT_NOTIFIER,    /* a notifier cannot work, or works again */
    EVENT_SITE,        /* a site gives no answer, or answers again */
    EVENT_COPY,        /* this state was found to be a copy: nothing is sent */
    EVENT_ADOPTED,     /* ... and an operator says it is the one */
    EVENT_FROZEN,      /* the clock was stepped: nothing irreversible; or it agrees again */
    EVENT_RELOAD,      /* a new configuration is at work, or was refused */
    EVENT_STOPPING,    /* the daemon ends */
    EVENT_SUPPRESSION, /* so many people are written to no more, by reason */
    EVENT_BOUNCE,      /* so many messages came back, by kind */
    EVENT_TYPES
};
const char *event_type_name(enum event_type type);

struct event {
    int64_t number;
    enum event_type type;
    int64_t notice;   /* the one it is about; 0 none */
    struct text data; /* a JSON object on one line */
};

struct events;

struct events *events_new(const struct clock *clock, struct alarms *alarms, int64_t generation);
/* What events_count() adds is counted there as well. */
void events_meter(struct events *events, struct metrics *metrics);
void events_free(struct events *events); /* nobody listens by then; NULL is fine */

/* Steals `data`, an object, and gives it its `at`. Without events (NULL) nothing is kept. */
void events_say(struct events *events, enum event_type type, int64_t notice, json_t *data);
/* For what comes in crowds: adds `count` to a word ("unsubscribe"); at most once a second an event tells the sums of
 * what is new: {"counts": {"unsubscribe": 3}}. */
void events_count(struct events *events, enum event_type type, const char *word, int64_t count);

/* --- Watching --- */

struct event_filter {
    unsigned types; /* one bit each; 0: all */
    int64_t notice; /* 0: all; else only what is about this one */
};
/* As a query gives them; NULL where absent. "notice,progress" and "17". */
int event_filter_parse(const char *types, const char *notice, struct event_filter *out, struct error *err);

struct event_listener { /* embedded in who listens */
    struct event_filter filter;
    void (*hear)(void *ctx); /* there may be news: call events_next() until there are none */
    void *ctx;
    struct events *events; /* set while it listens; the rest is the ring's */
    int64_t next;
    struct event_listener *after, **link;
};

/* Listens from now on, or, with the id of the last event it has seen, from behind that. NULL, or why nobody can tell
 * what came after that id: it listens from now on then, and has to ask for the whole state again. */
const char *events_listen(struct events *events, struct event_listener *listener, const char *last_id);
void events_leave(struct event_listener *listener); /* fine when it does not listen */

enum events_next { EVENTS_NONE, EVENTS_ONE, EVENTS_LOST };
/* The next event it wants, to be read before anything else happens. EVENTS_LOST: more came than is kept; it goes on
 * behind the last one. */
enum events_next events_next(struct event_listener *listener, struct event *out);

enum { EVENT_ID_SIZE = 48 };
void events_id(const struct events *events, int64_t number, char out[EVENT_ID_SIZE]);
/* The number of the event that a listener has behind it: a reconnect with its id loses nothing. */
int64_t event_listener_at(const struct event_listener *listener);

#endif
