/* preview.h - the exact bytes of a message as one of a notice's people would have it, or somebody who might be. Loop
 * thread of the daemon, or a command. */
#ifndef ONSALE_PREVIEW_H
#define ONSALE_PREVIEW_H

#include "address.h"
#include "draft.h"

#include <jansson.h>

struct preview_spec { /* borrowed */
    struct draft_spec draft;
    const struct address *subscriber; /* NULL: a sample */
    const json_t *person;             /* who that is in the notice, as REPORT_PERSON says; NULL: nobody of it */
    const char *language;             /* "": the person's */
};

/* Fills `out` (after message_init) and adds a line to `note` for what is not as it would leave. */
int preview_make(const struct preview_spec *spec, struct message *out, struct buf *note, struct error *err);

#endif
