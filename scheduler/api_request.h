/* api_request.h - what a request to the API asks for: method, path and body read into an operation with its arguments,
 * or why it is none. Pure. */
#ifndef ONSALE_API_REQUEST_H
#define ONSALE_API_REQUEST_H

#include "address.h"
#include "delivery.h"

#include <jansson.h>

enum api_operation {
    API_STATUS,
    API_OPENINGS,
    API_NOTICES,
    API_SHOW,
    API_PEOPLE,
    API_AUDIT,
    API_SUPPRESSIONS,
    API_WHY,
    API_HOLD,
    API_RELEASE,
    API_CANCEL,
    API_AGAIN,
    API_RETRY,
    API_PAUSE,
    API_RESUME,
    API_SUPPRESS,
    API_UNSUPPRESS,
    API_SEND_TEST,
    API_PREVIEW,
    API_SYNC,
    API_OPERATIONS
};

struct api_request { /* texts are borrowed from path and body; "" where absent */
    enum api_operation operation;
    int64_t notice;         /* of those that are about one */
    struct address address; /* why, suppress, unsuppress, send-test, preview */
    json_t *body;           /* whole, or NULL */
    const char *shown;      /* ... as it was written; "": preview of a sample */
    const char *event, *audience, *reason, *rule, *language;
    const char *target;          /* pause, resume: "", "notice:17", "notifier:mail" */
    int64_t target_notice;       /* 0: none */
    const char *target_notifier; /* NULL: none */
    bool anyway, this_is_the_one;
    enum fate fate; /* retry: refused, in doubt, withheld */
    int code;       /* refused: 0 any */
    enum withheld withheld;
};

/* 0, or the status to refuse with (400, 404, 405) and its text in `err`. `body` NULL: none was sent. */
int api_request_read(const char *method, const char *path, const json_t *body, struct api_request *out,
                     struct error *err);

/* Which people: each NULL where not asked. 0, or 400 with its text in `err`. */
int api_page_read(const char *state, const char *after, const char *limit, int64_t *after_out, int64_t *limit_out,
                  struct error *err);

#endif
