#include "crypt_webhook.h"
#include "table.h"

#include <string.h>

/* As the reference libraries of Standard Webhooks test themselves. */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT "1614265330"
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define WRONG "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="
/* Another secret; its signature made with Python's hmac. */
#define OLD_SECRET "whsec_b25lIHRoYXQgd2FzIHVzZWQgYmVmb3JlISEh"
#define OLD_SIGNATURE "v1,/ORFyBTLpzGLk0AtOMJ/EKMMvR7cEObc3cSa+XO6ZG8="

static const int64_t at_ms = 1614265330000;

static struct webhook_secret secret_of(const char *text)
{
    struct webhook_secret secret;

    assert_int_equal(webhook_secret_parse(text_of(text), &secret, NULL), 0);
    return secret;
}

static void signs(void **state)
{
    struct webhook_secret secret = secret_of(SECRET), old = secret_of(OLD_SECRET);
    char out[WEBHOOK_SIGNATURE_SIZE];

    (void)state;
    webhook_sign(&secret, TEXT(ID), at_ms / 1000, TEXT(BODY), out);
    assert_string_equal(out, SIGNATURE);
    webhook_sign(&old, TEXT(ID), at_ms / 1000, TEXT(BODY), out);
    assert_string_equal(out, OLD_SIGNATURE);
}

static void verifies(void **state)
{
    static const struct {
        const char *id, *timestamp, *signature, *body;
        int64_t later_ms;
        const char *says; /* NULL: taken */
    } cases[] = {
        {ID, AT, SIGNATURE, BODY, 0, NULL},
        {ID, AT, SIGNATURE, BODY, WEBHOOK_LEEWAY_MS, NULL},
        {ID, AT, SIGNATURE, BODY, -WEBHOOK_LEEWAY_MS, NULL},
        {ID, AT, SIGNATURE, BODY, WEBHOOK_LEEWAY_MS + 1, "more than five minutes ago"},
        {ID, AT, SIGNATURE, BODY, -WEBHOOK_LEEWAY_MS - 1, "more than five minutes ahead"},
        /* several, of several secrets and versions */
        {ID, AT, WRONG " " SIGNATURE, BODY, 0, NULL},
        {ID, AT, SIGNATURE " " WRONG, BODY, 0, NULL},
        {ID, AT, "v1a,c2lnbmVk v2,whatever " SIGNATURE, BODY, 0, NULL},
        {ID, AT, OLD_SIGNATURE, BODY, 0, NULL},
        {ID, AT, WRONG, BODY, 0, "webhook-signature"},
        {ID, AT, "", BODY, 0, "webhook-signature"},
        {ID, AT, "v1,", BODY, 0, "webhook-signature"},
        {ID, AT, SIGNATURE "x", BODY, 0, "webhook-signature"},
        {ID, AT, "v1ag0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, 0, "webhook-signature"},
        {ID, AT, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, 0, "webhook-signature"},
        /* what is signed is all of it */
        {ID, AT, SIGNATURE, "{\"test\": 2432232315}", 0, "webhook-signature"},
        {ID, AT, SIGNATURE, "", 0, "webhook-signature"},
        {ID, "1614265331", SIGNATURE, BODY, 0, "webhook-signature"},
        {ID, "01614265330", SIGNATURE, BODY, 0, "webhook-signature"},
        {"msg_p5jXN8AQM9LWM0D4loKWxJeK", AT, SIGNATURE, BODY, 0, "webhook-signature"},
        /* and what it hangs from is there */
        {"", AT, SIGNATURE, BODY, 0, "webhook-id"},
        {"msg.1", AT, SIGNATURE, BODY, 0, "webhook-id"},
        {"msg 1", AT, SIGNATURE, BODY, 0, "webhook-id"},
        {"msg\xc3\xa9", AT, SIGNATURE, BODY, 0, "webhook-id"},
        {ID, "", SIGNATURE, BODY, 0, "expected Unix seconds"},
        {ID, "-1", SIGNATURE, BODY, 0, "expected Unix seconds"},
        {ID, "2021-02-25T15:02:10Z", SIGNATURE, BODY, 0, "expected Unix seconds"},
        {ID, "9223372036854775807", SIGNATURE, BODY, 0, "expected Unix seconds"},
    };
    struct webhook_secret secrets[] = {secret_of(SECRET), secret_of(OLD_SECRET)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct webhook_headers headers = {text_of(cases[i].id), text_of(cases[i].timestamp),
                                          text_of(cases[i].signature)};
        struct error err = {0};
        int is = webhook_verify(secrets, ARRAY_LEN(secrets), &headers, text_of(cases[i].body),
                                at_ms + cases[i].later_ms, &err);
        if (is != (cases[i].says ? -1 : 0) || (cases[i].says && !strstr(err.text, cases[i].says)))
            fail_msg("case %zu: %d %s", i, is, err.text);
    }
    struct webhook_headers headers = {TEXT(ID), TEXT(AT), TEXT(OLD_SIGNATURE)};
    assert_int_equal(webhook_verify(secrets, 1, &headers, TEXT(BODY), at_ms, NULL), -1);
    assert_int_equal(webhook_verify(secrets, 0, &headers, TEXT(BODY), at_ms, NULL), -1);
}

static void secrets(void **state)
{
    static const struct {
        const char *text;
        size_t size; /* 0: refused */
    } cases[] = {
        {SECRET, 24},
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", 64},
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0}, /* 65 */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", 0},                                                         /* 22 */
        {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0},
        {"whsec_", 0},
        {"", 0},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMQ", 0},    /* not padded */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMQ===", 0}, /* too much */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMR==", 0},  /* spare bits */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_-", 0},
        {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0},
        {SECRET "\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct webhook_secret secret;
        struct error err = {0};
        int is = webhook_secret_parse(text_of(cases[i].text), &secret, &err);
        if (is != (cases[i].size ? 0 : -1) || secret.size != cases[i].size)
            fail_msg("case %zu: %d, %zu bytes", i, is, secret.size);
        if (is < 0 && (err.kind != ERROR_CONFIG || strstr(err.text, "MfKQ9")))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void several_secrets(void **state)
{
    static const struct {
        const char *text;
        size_t count; /* 0: refused */
    } cases[] = {
        {SECRET, 1},
        {" " SECRET "  " OLD_SECRET "\n", 2},
        {SECRET " " SECRET " " SECRET " " SECRET, 4},
        {SECRET " " SECRET " " SECRET " " SECRET " " SECRET, 0},
        {SECRET " x", 0},
        {SECRET "," SECRET, 0},
        {"", 0},
        {" ", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct webhook_secret out[WEBHOOK_SECRETS_MAX];
        size_t count;
        int is = webhook_secrets_parse(text_of(cases[i].text), out, &count, NULL);
        if (is != (cases[i].count ? 0 : -1) || (is == 0 && count != cases[i].count))
            fail_msg("case %zu: %d, %zu", i, is, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs),
        cmocka_unit_test(verifies),
        cmocka_unit_test(secrets),
        cmocka_unit_test(several_secrets),
    };
    return cmocka_run_group_tests_name("crypt_webhook", tests, NULL, NULL);
}
