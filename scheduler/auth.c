#include "auth.h"

#include "mail.h"

#include <string.h>
#include <strings.h>

enum {
    HASH_SIZE = 32,
    COMPLAINT_MS = 10 * SECOND_MS, /* a guesser gets one line in the log in that time, with how many they stand for */
};

/* A token as a keyed hash: of one size whatever the token's, and of no use to who reads our memory tomorrow. */
struct known {
    unsigned char hash[HASH_SIZE];
    char name[AUTH_WHO_SIZE - 8];
    enum token_scope scope;
};

struct auth {
    const struct clock *clock;
    struct log *log;
    unsigned char key[CRYPT_KEY_SIZE]; /* of this process */
    struct known *tokens;
    size_t count;
    int64_t complained_ms; /* by the monotonic clock; MOMENT_NONE: not yet */
    unsigned long swallowed;
};

struct auth *auth_new(const struct clock *clock, struct log *log, struct error *err)
{
    struct auth *auth = must_calloc(1, sizeof *auth);

    *auth = (struct auth){.clock = clock, .log = log, .complained_ms = MOMENT_NONE};
    if (crypt_random(auth->key, sizeof auth->key, err) == 0)
        return auth;
    free(auth);
    return NULL;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    free(auth->tokens);
    free(auth);
}

static bool is_same(const struct known *a, const struct known *b)
{
    return crypt_equal(a->hash, b->hash, HASH_SIZE) && a->scope == b->scope && strcmp(a->name, b->name) == 0;
}

bool auth_set_tokens(struct auth *auth, const struct http_token *tokens, size_t count)
{
    struct known *known = must_calloc(count ? count : 1, sizeof *known);
    bool changed = count != auth->count;

    for (size_t i = 0; i < count; i++) {
        crypt_hmac(auth->key, text_of(tokens[i].token), known[i].hash);
        known[i].scope = (enum token_scope)tokens[i].scope;
        snprintf(known[i].name, sizeof known[i].name, "%s", tokens[i].name);
        changed = changed || !is_same(&known[i], &auth->tokens[i]);
    }
    free(auth->tokens);
    auth->tokens = known;
    auth->count = count;
    return changed;
}

/* "Bearer TOKEN" (RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1). False: no token was sent. */
static bool bearer_token(const char *authorization, struct text *token)
{
    static const char scheme[] = "Bearer ";

    if (strncasecmp(authorization, scheme, strlen(scheme)) != 0)
        return false;
    *token = text_trim(text_of(authorization + strlen(scheme)));
    return token->len > 0;
}

/* Every token is compared, and wholly: time tells neither which one was nearly right nor how much of it. */
static const struct known *find_token(const struct auth *auth, struct text token)
{
    const struct known *found = NULL;
    unsigned char hash[HASH_SIZE];

    crypt_hmac(auth->key, token, hash);
    for (size_t i = 0; i < auth->count; i++)
        found = crypt_equal(hash, auth->tokens[i].hash, HASH_SIZE) ? &auth->tokens[i] : found;
    return found;
}

static void complain(struct auth *auth, const char *from, const char *what)
{
    int64_t now_ms = clock_mono_ms(auth->clock);

    if (auth->complained_ms != MOMENT_NONE && now_ms - auth->complained_ms < COMPLAINT_MS) {
        auth->swallowed++;
        return;
    }
    log_line(auth->log, LOG_WARNING, "event=not_let_in from=%s what=%s before=%lu", LOG_QUOTED(text_of(from)),
             LOG_QUOTED(text_of(what)), auth->swallowed);
    auth->complained_ms = now_ms;
    auth->swallowed = 0;
}

enum auth_verdict auth_judge(struct auth *auth, const struct server_call *call, enum token_scope wanted,
                             char who[AUTH_WHO_SIZE])
{
    struct text token;

    snprintf(who, AUTH_WHO_SIZE, "%s", call->who);
    if (call->local)
        return AUTH_FINE;
    if (!bearer_token(call->authorization, &token)) {
        complain(auth, who, "no token");
        return AUTH_MISSING;
    }
    const struct known *known = find_token(auth, token);
    if (!known) {
        complain(auth, who, "unknown token");
        return AUTH_UNKNOWN;
    }
    snprintf(who, AUTH_WHO_SIZE, "token %s", known->name);
    if (known->scope == TOKEN_CONTROL || known->scope == wanted ||
        (known->scope == TOKEN_READ && wanted == TOKEN_METRICS))
        return AUTH_FINE;
    complain(auth, who, "scope too small");
    return AUTH_TOO_LITTLE;
}

bool auth_controls(const struct auth *auth, const struct server_call *call)
{
    struct text token;
    const struct known *known =
        !call->local && bearer_token(call->authorization, &token) ? find_token(auth, token) : NULL;

    return call->local || (known && known->scope == TOKEN_CONTROL);
}

bool auth_admit(struct auth *auth, struct server_request *request, const struct server_call *call,
                enum token_scope wanted, char who[AUTH_WHO_SIZE])
{
    static const char *const scopes[] = {
        [TOKEN_READ] = "read", [TOKEN_CONTROL] = "control", [TOKEN_HOOK] = "hook", [TOKEN_METRICS] = "metrics"};
    char challenge[128] = "Bearer realm=\"onsale\"", detail[128];
    struct server_field field = {"WWW-Authenticate", challenge};

    switch (auth_judge(auth, call, wanted, who)) {
    case AUTH_FINE:
        return true;
    case AUTH_MISSING:
        server_refuse_more(request, 401, "a bearer token is needed: one of http.tokens", NULL, &field);
        return false;
    case AUTH_UNKNOWN:
        snprintf(challenge, sizeof challenge, "Bearer realm=\"onsale\", error=\"invalid_token\"");
        server_refuse_more(request, 401, "this token is none of http.tokens", NULL, &field);
        return false;
    case AUTH_TOO_LITTLE:
        break;
    }
    snprintf(challenge, sizeof challenge, "Bearer realm=\"onsale\", error=\"insufficient_scope\", scope=\"%s\"",
             scopes[wanted]);
    snprintf(detail, sizeof detail, "the token's scope is too small: this needs one of scope %s%s", scopes[wanted],
             wanted == TOKEN_CONTROL   ? ""
             : wanted == TOKEN_METRICS ? ", read or control"
                                       : " or control");
    server_refuse_more(request, 403, detail, NULL, &field);
    return false;
}

/* The password of HTTP Basic (RFC 7617) as a bearer token; other ways are passed on as they came. */
static void add_authorization(struct buf *out, const char *authorization)
{
    static const char scheme[] = "Basic ";
    struct arena arena = {0};

    if (strncasecmp(authorization, scheme, strlen(scheme)) != 0) {
        buf_adds(out, authorization);
        return;
    }
    struct text password = mail_decode_base64(&arena, text_of(authorization + strlen(scheme)));
    text_cut(&password, ':'); /* the name in front may be any */
    buf_adds(out, "Bearer ");
    buf_add_text(out, password);
    arena_clear(&arena);
}

bool auth_admit_password(struct auth *auth, struct server_request *request, const struct server_call *call,
                         enum token_scope wanted, char who[AUTH_WHO_SIZE])
{
    struct server_call judged = *call;
    auto_buf struct buf authorization;

    buf_init(&authorization, 8 * 1024);
    add_authorization(&authorization, call->authorization);
    judged.authorization = buf_failed(&authorization) ? "" : buf_text(&authorization).ptr;
    return auth_admit(auth, request, &judged, wanted, who);
}
