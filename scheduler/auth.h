/* auth.h - who a call comes from, and what they may: the unix socket's credentials, or a bearer token of http.tokens
 * (RFC 6750). Loop thread. */
#ifndef ONSALE_AUTH_H
#define ONSALE_AUTH_H

#include "server.h"
#include "settings.h"

enum { AUTH_WHO_SIZE = 72 };

struct auth;

struct auth *auth_new(const struct clock *clock, struct log *log, struct error *err);
void auth_free(struct auth *auth);
/* From now on these tokens count, and no others. Copies what it needs. True: they are others than before. */
bool auth_set_tokens(struct auth *auth, const struct http_token *tokens, size_t count);

/* Which caller it is, as pauses and logs name them ("root", "token ops"), when they may do what needs `wanted`:
 * control may do everything, read only that and what metrics may, hook and metrics only that; the unix socket's people
 * everything. false: they may not, and the request is answered (RFC 6750 section 3). Whoever may not is logged, at a
 * bounded rate, without their token.
 */
bool auth_admit(struct auth *auth, struct server_request *request, const struct server_call *call,
                enum token_scope wanted, char who[AUTH_WHO_SIZE]);

/* The same for programs that know HTTP Basic alone (RFC 7617): a token may come as its password; the name may be any.
 */
bool auth_admit_password(struct auth *auth, struct server_request *request, const struct server_call *call,
                         enum token_scope wanted, char who[AUTH_WHO_SIZE]);

/* May they do everything? Nothing is answered or logged. */
bool auth_controls(const struct auth *auth, const struct server_call *call);

/* The judgement alone. */
enum auth_verdict {
    AUTH_FINE,
    AUTH_MISSING,    /* 401: no token was sent */
    AUTH_UNKNOWN,    /* 401 invalid_token: one that is none of ours */
    AUTH_TOO_LITTLE, /* 403 insufficient_scope */
};
enum auth_verdict auth_judge(struct auth *auth, const struct server_call *call, enum token_scope wanted,
                             char who[AUTH_WHO_SIZE]);

#endif
