/* api_request.h - what a request to the API asks for: method, path, query and body read into an operation with its
 * arguments, or why it is none. Pure. */
#ifndef ONSALE_API_REQUEST_H
#define ONSALE_API_REQUEST_H

#include "address.h"
#include "api_page.h"
#include "crypt_keys.h"
#include "delivery.h"

#include <jansson.h>

enum { API_ENTRIES_MAX = 500 }; /* of a list of suppressions */

enum api_operation {
    API_STATUS,
    API_OPENINGS,
    API_NOTICES,
    API_SHOW,
    API_PEOPLE,
    API_AUDIT,
    API_BACKUP,
    API_SUPPRESSIONS,
    API_WHY,
    API_EXPORT,
    API_HOLD,
    API_RELEASE,
    API_CANCEL,
    API_AGAIN,
    API_RETRY,
    API_PAUSE,
    API_RESUME,
    API_SUPPRESS,
    API_UNSUPPRESS,
    API_BOUNCES,
    API_SUPPRESS_ALL,
    API_ERASE,
    API_SEND_TEST,
    API_PREVIEW,
    API_SYNC,
    API_WEBHOOKS,
    API_WEBHOOK_TEST,
    API_WEBHOOK_ENABLE,
    API_EVENTS,
    API_FEEDS,
    API_FEEDS_ADD,
    API_FEEDS_ROTATE,
    API_FEEDS_REVOKE,
    API_OPERATIONS
};

/* What there is to ask for: a line for each operation. ID in a path stands for a notice's number. */
struct api_route {
    const char *method, *path;
    const char *fields; /* of a body, each with its type: s text, b boolean, i whole number, l list of texts,
                         * a list */
    const char *query;  /* parameters, blanks between */
    bool reads;         /* a token of scope read is enough; else control */
};
extern const struct api_route api_routes[API_OPERATIONS];

struct api_request { /* texts are borrowed from path, query and body; "" where absent */
    enum api_operation operation;
    const char *who;        /* asks: "root", "token ops"; borrowed only until the operation returns */
    bool controls;          /* who asks may do everything, not only read */
    int64_t notice;         /* of those that are about one */
    json_t *body;           /* whole, or NULL */
    struct address address; /* why, export, suppress, unsuppress, erase, send-test, preview */
    const char *shown;      /* ... as it was written; "": preview of a sample */
    const char *event, *audience, *reason, *rule, *language, *site, *name;
    const char *state;           /* people; NULL: any */
    struct api_page page;        /* of a listing */
    const char *target;          /* pause, resume: "", "notice:17", "notifier:mail" */
    int64_t target_notice;       /* 0: none */
    const char *target_notifier; /* NULL: none */
    bool anyway, this_is_the_one;
    enum fate fate; /* retry: refused, in doubt, withheld */
    int code;       /* refused: 0 any */
    enum withheld withheld;
    enum feedback feedback;             /* bounces: what came back; about the tokens in the body, the address or ... */
    unsigned char key[PERSON_KEY_SIZE]; /* ... this one; why: when `shown` is "" */
    const char *status, *text;
};

/* Where a request is wrong, beside the text of the error. */
struct api_fault {
    int status;        /* 400, 404, 405 */
    const char *field; /* of the body, or NULL; borrowed from it */
    const char *query; /* the parameter, or NULL */
    char allow[32];    /* 405: the methods there are */
};

/* First who asks for what; then, when they may, with which arguments. -1: see `fault` and `err`. */
int api_route_read(const char *method, const char *path, struct api_request *out, struct api_fault *fault,
                   struct error *err);
/* A query parameter, or NULL. */
typedef const char *api_query_fn(const void *ctx, const char *name);
/* `body` NULL: none was sent. */
int api_arguments_read(json_t *body, api_query_fn *query, const void *ctx, struct api_request *out,
                       struct api_fault *fault, struct error *err);

#endif
