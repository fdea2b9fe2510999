/* ear.h - at the other end of a webhook: takes what it is told, or does not, as the story says, and knows what must not
 * be said twice, or in another order. */
#ifndef ONSALE_REPLAY_EAR_H
#define ONSALE_REPLAY_EAR_H

#include "alarm.h"
#include "notice.h"
#include "webhooks.h"

struct ear {
    struct webhook_post post; /* for the cast */
    const struct clock *clock;
    struct alarms *alarms; /* of the world that runs now */
    int64_t latency_ms;
    int status;       /* what it answers; 0: nothing */
    json_t *heard;    /* by webhook-id: {"body", "taken"} */
    json_t *bodies;   /* by body: the id that it came under */
    json_t *notices;  /* by id: the types that were said of it first, in their order */
    json_t *openings; /* by id: {"type", "opens_at"}, as was said of it last */
    bool clock_stepped;
    struct ear_call *calls;
    char complaint[512]; /* what must never happen, and did; "" nothing */
};

void ear_init(struct ear *ear, const struct clock *clock);
void ear_clear(struct ear *ear);
/* Somebody set the machine's clock: answers take as long as they do. */
void ear_clock_stepped(struct ear *ear, int64_t step_ms);
/* How often such a thing was said, by events with a name of their own. */
int64_t ear_heard(const struct ear *ear, const char *type);
/* Everything that waits has been told: what was heard of a notice last agrees with how it stands. */
void ear_compare(struct ear *ear, const struct notice *notice);

#endif
