/* health.h - is it well? Asked by monitors (/healthz, /readyz), by `onsale status`, and by the service manager.
 * Answered from memory: no store, no disk, no waiting. Judging is pure; collecting the facts is for the loop thread. */
#ifndef ONSALE_HEALTH_H
#define ONSALE_HEALTH_H

#include "server.h"
#include "world.h"

#include <jansson.h>

enum health_word { HEALTH_PASS, HEALTH_WARN, HEALTH_FAIL };

/* Two questions, with different words for the same fact. */
enum health_question {
    HEALTH_ALIVE, /* /healthz: does a person have to do something? For alarms */
    HEALTH_READY, /* /readyz: would a launch go well right now? For routing */
    HEALTH_QUESTIONS
};

enum health_check {                /* in the order in which people read them */
                    HEALTH_DAEMON, /* starting, reloading, stopping */
                    HEALTH_COPY,
                    HEALTH_STORE, /* writes fail, or a thread is stuck */
                    HEALTH_DISK,
                    HEALTH_NOTIFIERS,
                    HEALTH_SITES,
                    HEALTH_CLOCK,
                    HEALTH_NOTICES, /* held ones */
                    HEALTH_PAUSES,
                    HEALTH_WRITEBACKS, /* marketing tools that do not hear of unsubscribes */
                    HEALTH_CHECKS
};
const char *health_check_name(enum health_check check);
const char *health_word_name(enum health_word word);

struct health_facts { /* borrowed texts */
    bool building, stopping;
    const char *copy;
    bool frozen;
    int64_t now_ms;
    struct store_health store;
    bool disk_holds; /* nothing is claimed for want of room, which lasts until there is a little more than is wanted */
    const struct health_site {
        const char *name, *failure; /* NULL: none */
        int64_t stale_ms;           /* since the last successful walk; -1: never */
        int64_t poll_every_ms;
    } * sites;
    size_t site_count;
    const struct health_notifier {
        const char *name, *trouble; /* NULL: none */
        bool needs_person;
    } * notifiers;
    size_t notifier_count;
    size_t held, pauses;
    size_t unread;              /* notices whose people cannot be read, and ... */
    const char *unread_why;     /* ... why, of one of them */
    const char *restart_for;    /* what the configuration says and only a restart brings; NULL: nothing */
    const char *reload_refused; /* why the file that lies there is not at work; NULL: it is, or nobody tried */
    int64_t configured_at_ms;   /* what is at work was read then */
};

struct health {
    struct {
        enum health_word words[HEALTH_QUESTIONS];
        struct error said; /* ERROR_NONE: nothing is wrong */
    } checks[HEALTH_CHECKS];
};
void health_judge(const struct health_facts *facts, struct health *out);
/* The worst of all. */
enum health_word health_word(const struct health *health, enum health_question question);

/* What the world looks like now, judged. */
void health_look(const struct world *world, struct health *out);
/* {"status", "checks": {NAME: [{"status", "output"}]}}; `texts`: with "output". As of
 * draft-inadarei-api-health-check-06 section 4. A new reference. */
json_t *health_json(const struct health *health, enum health_question question, bool texts);
/* /healthz and /readyz: 200, or 503 when the word is fail. `texts`: the caller may hear more than names and words. */
void health_handle(const struct world *world, struct server_request *request, const struct server_call *call,
                   bool texts);

#endif
