/* smtp_stream.h - may the next envelope travel behind a body that is not answered yet? What `pipelining` asks for, and
 * what was seen of one host. Pure.
 *
 * A host that offers PIPELINING should take it (RFC 2920 section 3.1); some drop the connection, refuse, or lose what
 * stands behind the final dot. So one connection tries first, while the others wait for their answers. Once that has
 * worked all do, until it seems to break: then one tries again, and when it breaks again none does for a long time.
 * A single break is not blamed on the host: relays are restarted. Nor is it known for good what a host is like: a dying
 * one looked the same. After many messages that went well one tries again; each time it was in vain it takes twice as
 * many. */
#ifndef ONSALE_SMTP_STREAM_H
#define ONSALE_SMTP_STREAM_H

#include <stdbool.h>

enum smtp_pipelining { SMTP_AUTO, SMTP_MESSAGE, SMTP_STREAM }; /* the words of the option, in this order */

enum {
    SMTP_BREAKS_MAX = 2,        /* so many, and it is not tried again */
    SMTP_FORGIVE_AFTER = 10000, /* messages that went well make up for one */
    SMTP_PATIENCE = 10000, /* messages that go well before a host that breaks streams is tried again; then twice that */
    SMTP_PATIENCE_MAX = SMTP_PATIENCE << 10,
};

struct smtp_stream { /* zero bytes but for `asked`: nothing is known */
    enum smtp_pipelining asked;
    bool proven;       /* it worked last time */
    bool broken;       /* not before `patience` messages went well */
    unsigned patience; /* 0: it never broke */
    unsigned breaks;   /* times it seemed to break, */
    unsigned good;     /* ... and worked, or with broken ones went well, since */
    const void *trial; /* the connection that tries, while it is not proven */
};

/* `late`: the body has left already, and its answer may be on its way. That proves nothing, so it is no trial. */
bool smtp_stream_may(const struct smtp_stream *stream, const void *conn, bool late);
void smtp_stream_begun(struct smtp_stream *stream, const void *conn); /* an envelope is on its way behind a body */
void smtp_stream_worked(struct smtp_stream *stream, const void *conn);
/* The connection ended, fell out of step or was told off between the body and the answer to that envelope. True: this
 * was once too often, and from now on nothing is sent behind a body. */
bool smtp_stream_broke(struct smtp_stream *stream, const void *conn);
/* A message was accepted. True: after so many a broken host may be tried again. */
bool smtp_stream_went_well(struct smtp_stream *stream);
void smtp_stream_gone(struct smtp_stream *stream, const void *conn); /* ... without having learned anything */

#endif
