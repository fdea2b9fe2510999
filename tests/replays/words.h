/* words.h - a line of a story, and what came of it. */
#ifndef ONSALE_REPLAY_WORDS_H
#define ONSALE_REPLAY_WORDS_H

#include "stage.h"

enum { WORDS_MAX = 64 };

struct words {
    const char *at[WORDS_MAX];
    size_t count;
    const char *line; /* as written, from the second word on */
};

struct replay {
    const char *story;
    unsigned line;
    struct stage stage;
    unsigned failures;
    int64_t retried; /* people, by the ledger's answer to the last `retry` */
};

void replay_fail(struct replay *replay, const char *format, ...) PRINTF_LIKE(2, 3);
int64_t replay_moment(struct replay *replay, const char *word);
int64_t replay_number(struct replay *replay, const char *word); /* 0 and a failure: it is none */
/* The only notice of a rule, or the one at an instant, in its highest edition: "on-sale" or "on-sale@09:00:00"; with an
 * event "on-sale/festival@09:00:00". Fails when there is none. */
struct notice *replay_notice(struct replay *replay, const char *word);

/* expect.c */
void replay_list(struct replay *replay); /* notices and letters, to stderr */
void replay_expect(struct replay *replay, const struct words *words);

/* always.c */
json_t *replay_ask(struct replay *replay, const struct store_report *what); /* NULL, and it has failed */
/* What must hold after every line: nothing early, nothing twice. */
void replay_watch(struct replay *replay);
/* The daemon's counts against the ledger's. */
void replay_compare(struct replay *replay);
/* The ledger, checked by code that shares nothing with the flow, and against what the postman has seen. */
void replay_audit(struct replay *replay);

#endif
