/* shopfront.h - stands before the real file source of a story and shows what a file cannot: no answer at all, one walk
 * that misses a definition which asking still finds, the Date of a site whose clock is right. */
#ifndef ONSALE_REPLAY_SHOPFRONT_H
#define ONSALE_REPLAY_SHOPFRONT_H

#include "source/source.h"

struct shopfront {
    struct source_ops ops; /* first: it is the source's while it stands there */
    const struct source_ops *real;
    const struct clock *clock;
    bool silent;       /* neither walks nor questions are answered */
    bool walks_silent; /* walks are not, questions are */
    bool dated;        /* answers carry the true time: `clock` without what the story stepped it by */
    int64_t asked;     /* questions by id */
    char missing[64];  /* what the next walk does not see, then "" again */
    struct shopfront_request *requests;
};

void shopfront_init(struct shopfront *front, const struct clock *clock);
/* Call it for each new source, before anything was asked. The front outlives it. */
void shopfront_stand_before(struct shopfront *front, struct source *source);

#endif
