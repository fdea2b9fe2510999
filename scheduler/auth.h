/* auth.h - who a call comes from, and what they may: the unix socket's credentials, or a bearer token of http.tokens
 * (RFC 6750). Loop thread. */
#ifndef ONSALE_AUTH_H
#define ONSALE_AUTH_H

#include "settings.h"

enum { AUTH_WHO_SIZE = 72 };

struct auth;

struct auth *auth_new(const struct clock *clock, struct log *log, struct error *err);
void auth_free(struct auth *auth);
/* From now on these tokens count, and no others. Copies what it needs. */
void auth_set_tokens(struct auth *auth, const struct http_token *tokens, size_t count);

enum auth_verdict {
    AUTH_FINE,
    AUTH_MISSING,    /* 401: no token was sent */
    AUTH_UNKNOWN,    /* 401 invalid_token: one that is none of ours */
    AUTH_TOO_LITTLE, /* 403 insufficient_scope */
};
/* What a call is made with. */
struct auth_caller {
    bool local;                /* by the unix socket, let in by its credentials: may do everything */
    const char *from;          /* "root", "uid 1000", or the client's address */
    const char *authorization; /* the header, or "" */
};
/* Which caller it is, as pauses and logs name them ("root", "token ops"), and whether they may do what needs
 * `wanted`: control may do everything, read only that, hook only that. Whoever may not is logged, at a bounded rate,
 * without their token. */
enum auth_verdict auth_judge(struct auth *auth, const struct auth_caller *caller, enum token_scope wanted,
                             char who[AUTH_WHO_SIZE]);

#endif
