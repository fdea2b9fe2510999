/* Who is let in, and what the log says of who is not. */
#include "auth.h"
#include "table.h"

#include <string.h>

#define OPS "b3BzIHRva2VuIG9mIHRoZSB0YWJsZQ=="
#define EYES "ZXllcyB0b2tlbiBvZiB0aGUgdGFibGU="
#define LISTMONK "aG9vayB0b2tlbiBvZiB0aGUgdGFibGU="

static struct http_token tokens[] = {{.name = "ops", .token = OPS, .scope = TOKEN_CONTROL},
                                     {.name = "eyes", .token = EYES, .scope = TOKEN_READ},
                                     {.name = "listmonk", .token = LISTMONK, .scope = TOKEN_HOOK}};

static int64_t tick(void *ctx)
{
    return *(int64_t *)ctx;
}

static void callers(void **state)
{
    static const struct {
        bool local;
        const char *authorization;
        enum token_scope wanted;
        enum auth_verdict verdict;
        const char *who;
    } cases[] = {
        {true, "", TOKEN_CONTROL, AUTH_FINE, "192.0.2.7"},
        {true, "Bearer wrong", TOKEN_CONTROL, AUTH_FINE, "192.0.2.7"},
        {true, "", TOKEN_HOOK, AUTH_FINE, "192.0.2.7"},
        {false, "Bearer " OPS, TOKEN_READ, AUTH_FINE, "token ops"},
        {false, "Bearer " OPS, TOKEN_CONTROL, AUTH_FINE, "token ops"},
        {false, "Bearer " OPS, TOKEN_HOOK, AUTH_FINE, "token ops"},
        {false, "bEARER   " OPS " ", TOKEN_CONTROL, AUTH_FINE, "token ops"},
        {false, "Bearer " EYES, TOKEN_READ, AUTH_FINE, "token eyes"},
        {false, "Bearer " EYES, TOKEN_CONTROL, AUTH_TOO_LITTLE, "token eyes"},
        {false, "Bearer " EYES, TOKEN_HOOK, AUTH_TOO_LITTLE, "token eyes"},
        {false, "Bearer " LISTMONK, TOKEN_HOOK, AUTH_FINE, "token listmonk"},
        {false, "Bearer " LISTMONK, TOKEN_READ, AUTH_TOO_LITTLE, "token listmonk"},
        {false, "Bearer " LISTMONK, TOKEN_CONTROL, AUTH_TOO_LITTLE, "token listmonk"},
        {false, "", TOKEN_READ, AUTH_MISSING, "192.0.2.7"},
        {false, "Bearer", TOKEN_READ, AUTH_MISSING, "192.0.2.7"},
        {false, "Bearer ", TOKEN_READ, AUTH_MISSING, "192.0.2.7"},
        {false, "Basic b3BzOm9wcw==", TOKEN_READ, AUTH_MISSING, "192.0.2.7"},
        {false, OPS, TOKEN_READ, AUTH_MISSING, "192.0.2.7"},
        {false, "Bearer" OPS, TOKEN_READ, AUTH_MISSING, "192.0.2.7"},
        {false, "Bearer wrong", TOKEN_READ, AUTH_UNKNOWN, "192.0.2.7"},
        {false, "Bearer " OPS "x", TOKEN_READ, AUTH_UNKNOWN, "192.0.2.7"},
        {false, "Bearer b3BzIHRva2VuIG9mIHRoZSB0YWJsZQ=", TOKEN_READ, AUTH_UNKNOWN, "192.0.2.7"},
        {false, "Bearer " OPS " " EYES, TOKEN_READ, AUTH_UNKNOWN, "192.0.2.7"},
        {false, "Bearer ops", TOKEN_READ, AUTH_UNKNOWN, "192.0.2.7"},
    };
    struct error err = {0};
    struct auth *auth = auth_new(&clock_machine, NULL, &err);

    (void)state;
    assert_non_null(auth);
    auth_set_tokens(auth, tokens, ARRAY_LEN(tokens));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server_call call = {
            .local = cases[i].local, .who = "192.0.2.7", .authorization = cases[i].authorization};
        char who[AUTH_WHO_SIZE];
        if (auth_judge(auth, &call, cases[i].wanted, who) != cases[i].verdict || strcmp(who, cases[i].who) != 0)
            fail_msg("case %zu (%s): not as expected, %s", i, cases[i].authorization, who);
        assert_int_equal(auth_controls(auth, &call), cases[i].local || strcmp(cases[i].who, "token ops") == 0);
    }
    auth_free(auth);
}

/* A reload: who left is nobody from then on. */
static void other_tokens(void **state)
{
    struct error err = {0};
    struct auth *auth = auth_new(&clock_machine, NULL, &err);
    struct server_call ops = {.who = "192.0.2.7", .authorization = "Bearer " OPS},
                       eyes = {.who = "192.0.2.7", .authorization = "Bearer " EYES};
    char who[AUTH_WHO_SIZE];

    (void)state;
    assert_int_equal(auth_judge(auth, &ops, TOKEN_READ, who), AUTH_UNKNOWN);
    auth_set_tokens(auth, tokens, 1);
    assert_int_equal(auth_judge(auth, &ops, TOKEN_READ, who), AUTH_FINE);
    assert_int_equal(auth_judge(auth, &eyes, TOKEN_READ, who), AUTH_UNKNOWN);
    auth_set_tokens(auth, tokens + 1, 1);
    assert_int_equal(auth_judge(auth, &ops, TOKEN_READ, who), AUTH_UNKNOWN);
    assert_int_equal(auth_judge(auth, &eyes, TOKEN_READ, who), AUTH_FINE);
    auth_set_tokens(auth, NULL, 0);
    assert_int_equal(auth_judge(auth, &eyes, TOKEN_READ, who), AUTH_UNKNOWN);
    auth_free(auth);
}

static void seen_to_change(void **state)
{
    static const struct {
        const char *name, *token;
        enum token_scope scope;
        bool changed;
    } steps[] = {
        {"ops", OPS, TOKEN_READ, true},     {"ops", OPS, TOKEN_READ, false},     {"ops", EYES, TOKEN_READ, true},
        {"ops", EYES, TOKEN_CONTROL, true}, {"eyes", EYES, TOKEN_CONTROL, true}, {"eyes", EYES, TOKEN_CONTROL, false},
    };
    struct error err = {0};
    struct auth *auth = auth_new(&clock_machine, NULL, &err);

    (void)state;
    assert_false(auth_set_tokens(auth, NULL, 0));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct http_token token = {.name = steps[i].name, .token = steps[i].token, .scope = steps[i].scope};
        if (auth_set_tokens(auth, &token, 1) != steps[i].changed)
            fail_msg("step %zu", i);
    }
    assert_true(auth_set_tokens(auth, NULL, 0));
    auth_free(auth);
}

/* A thousand guesses are two lines, and no guess is in them. */
static void complaints(void **state)
{
    int64_t now_ms = 0;
    struct clock clock = {.wall_ms = tick, .mono_ms = tick, .ctx = &now_ms};
    char *lines = NULL;
    size_t size = 0;
    struct log log = {.out = open_memstream(&lines, &size), .level = LOG_INFO};
    struct error err = {0};
    struct auth *auth = auth_new(&clock, &log, &err);
    struct server_call guesser = {.who = "192.0.2.7", .authorization = "Bearer guess-guess-guess-guess"};
    char who[AUTH_WHO_SIZE];
    unsigned count = 0;

    (void)state;
    auth_set_tokens(auth, tokens, ARRAY_LEN(tokens));
    for (int i = 0; i < 1000; i++, now_ms += 19) /* 19 s in all */
        assert_int_equal(auth_judge(auth, &guesser, TOKEN_READ, who), AUTH_UNKNOWN);
    fclose(log.out);
    for (const char *at = lines; (at = strstr(at, "event=not_let_in")); at++)
        count++;
    assert_int_equal(count, 2);
    assert_non_null(strstr(lines, "before=0"));
    assert_non_null(strstr(lines, "before=526"));
    assert_null(strstr(lines, "guess"));
    free(lines);
    auth_free(auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(callers), cmocka_unit_test(other_tokens),
                                       cmocka_unit_test(seen_to_change), cmocka_unit_test(complaints)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
