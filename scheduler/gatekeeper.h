/* gatekeeper.h - asks a site about the definitions behind what is due, one question per site for all who ask at the
 * same turn of the loop, and hands each asker what concerns it. Loop thread. */
#ifndef ONSALE_GATEKEEPER_H
#define ONSALE_GATEKEEPER_H

#include "source/source.h"

struct gatekeeper;    /* one per site */
struct gate_question; /* one question waiting for its answer; owned by who asked */

struct gate_word_of { /* in the order asked */
    const char *id;
    enum source_verdict verdict;
    const struct definition *definition; /* where found; borrowed during the callback */
};
struct gate_answer {
    const struct gate_word_of *words;
    size_t count;
    int64_t answered_at_ms;
    int64_t clock_ahead_ms;      /* our clock less the source's; 0 when it gave no Date */
    const struct error *failure; /* of what is SOURCE_UNKNOWN */
};
typedef void gate_answer_fn(void *ctx, const struct gate_answer *answer);

/* Called with every definition that an answer brought, before the askers hear of it: the mirror takes it. */
typedef void gate_news_fn(void *ctx, const struct source_answer *answer);

struct gatekeeper *gatekeeper_new(struct source *source, struct alarms *alarms, const struct clock *clock,
                                  gate_news_fn *news, void *ctx);
void gatekeeper_free(struct gatekeeper *keeper); /* every question is answered or cancelled by then */

/* `done` is called once, later from the loop, unless gate_cancel() comes first. */
struct gate_question *gate_ask(struct gatekeeper *keeper, const struct source_ask *asks, size_t count,
                               gate_answer_fn *done, void *ctx);
void gate_cancel(struct gate_question **question);     /* NULL inside is fine */
bool gatekeeper_busy(const struct gatekeeper *keeper); /* walks stand still while it is */

#endif
