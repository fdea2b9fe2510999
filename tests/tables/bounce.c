#include "bounce.h"
#include "table.h"

#include <dirent.h>
#include <string.h>

#define TOKEN "k5xw4zdfojthk3bamzqw4y3sna"

static char *read_sample(const char *name, size_t *len)
{
    char path[1024];
    struct buf bytes;
    struct error err = {0};

    snprintf(path, sizeof path, "%s/tests/samples/bounce/%s", getenv("ONSALE_SOURCE"), name);
    buf_init(&bytes, 16 << 20);
    if (buf_add_file(&bytes, path, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    *len = bytes.len;
    return buf_take(&bytes);
}

static void read_named(const char *name, struct bounce *out)
{
    char file[256];
    size_t len;

    snprintf(file, sizeof file, "%s.eml", name);
    auto_free char *bytes = read_sample(file, &len);
    bounce_read((struct text){bytes, len}, NULL, 0, out);
}

static const struct {
    const char *name;
    enum feedback kind;
    const char *status;
    const char *text; /* part of what was said; of FEEDBACK_NONE: of why it is none */
} samples[] = {
    /* RFC 3464 */
    {"postfix-user-unknown", FEEDBACK_HARD, "5.1.1", "550 5.1.1 <***>: Recipient address rejected: User unknown in"},
    {"postfix-headers-only", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"postfix-mailbox-full", FEEDBACK_SOFT, "5.2.2", "Mailbox full"},
    {"postfix-expired", FEEDBACK_SOFT, "4.4.1", "Connection timed out"},
    {"postfix-delayed", FEEDBACK_NONE, "", "delayed"},
    {"postfix-delivered", FEEDBACK_NONE, "", "it was delivered"},
    {"relayed", FEEDBACK_NONE, "", "relayed"},
    {"expanded", FEEDBACK_NONE, "", "list"},
    {"no-status-field", FEEDBACK_HARD, "5.1.1", "unknown address"},
    {"no-action-field", FEEDBACK_HARD, "5.1.1", ""},
    {"no-groups", FEEDBACK_HARD, "5.1.1", "no such user"},
    {"empty-status-says-nothing", FEEDBACK_SOFT, "", ""},
    {"one-block", FEEDBACK_HARD, "5.1.1", "user unknown"},
    {"folded-and-commented", FEEDBACK_HARD, "5.1.1", "does not exist"},
    {"base64-status", FEEDBACK_HARD, "5.1.1", "user unknown"},
    {"quoted-status", FEEDBACK_HARD, "5.1.1", "user unknown =\xF0\x9F\x98\x80"},
    {"broken-base64", FEEDBACK_HARD, "5.1.1", ""},
    {"domain-null-mx", FEEDBACK_HARD, "5.1.10", "null MX"},
    {"disabled-gmail", FEEDBACK_HARD, "5.2.1", "is disabled"},
    {"5.0.0-with-words", FEEDBACK_HARD, "5.0.0", "Unrouteable address"},
    {"5.0.0-and-better-word", FEEDBACK_HARD, "5.2.1", "inactive"},
    {"5.0.0-without-words", FEEDBACK_SOFT, "5.0.0", "transaction failed"},
    {"5.4.4-no-route", FEEDBACK_SOFT, "5.4.4", "Host not found"},
    {"4xx-beside-5.1.1", FEEDBACK_SOFT, "5.1.1", "unverified"},
    {"global-status", FEEDBACK_HARD, "5.1.1", "550 5.1.1 <***> user unknown"},
    /* never the person's fault */
    {"spam-beside-5.1.1", FEEDBACK_POLICY, "5.7.1", "User unknown"},
    {"5.1.1-beside-spam", FEEDBACK_POLICY, "5.7.1", "Message refused"},
    {"5.1.1-because-of-spf", FEEDBACK_POLICY, "5.1.1", "SPF"},
    {"spam-is-a-host", FEEDBACK_HARD, "5.1.1", "user unknown"},
    {"policy-content", FEEDBACK_POLICY, "5.6.0", ""},
    {"policy-size", FEEDBACK_POLICY, "5.3.4", ""},
    {"policy-mailbox-size", FEEDBACK_POLICY, "5.2.3", ""},
    {"policy-our-address", FEEDBACK_POLICY, "5.1.8", ""},
    {"policy-dmarc-gmail", FEEDBACK_POLICY, "5.7.26", "unauthenticated"},
    {"policy-outlook-blocked", FEEDBACK_POLICY, "5.7.1", "block list"},
    {"policy-yahoo-bl", FEEDBACK_POLICY, "5.7.1", "[BL21]"},
    {"policy-word-no-status", FEEDBACK_POLICY, "5.0.0", "local policy"},
    {"policy-relay", FEEDBACK_POLICY, "5.0.0", "Relay access denied"},
    /* one message, one recipient */
    {"several-people", FEEDBACK_NONE, "", "it was delivered"},
    {"several-people-failed", FEEDBACK_SOFT, "5.2.2", "over quota"},
    {"several-people-all-gone", FEEDBACK_HARD, "5.1.1", "no such user"},
    /* badly made */
    {"bare-lf", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"mailbox-file", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"header-without-colon", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"boundary-not-named", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"boundary-wrong", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"cut-short", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"upper-case-recipient", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"forwarded-srs", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"nuls", FEEDBACK_HARD, "5.1.1", "user unknown"},
    {"nested", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"too-deep", FEEDBACK_SOFT, "", ""},
    {"a-thousand-parts", FEEDBACK_SOFT, "", ""},
    {"no-blank-line", FEEDBACK_HARD, "5.1.1", "no mailbox here"},
    {"huge-headers", FEEDBACK_HARD, "5.1.1", "no mailbox here"},
    /* older forms */
    {"qmail-no-mailbox", FEEDBACK_HARD, "5.1.1", "<***>: Sorry, no mailbox here by that name. (#5.1.1)"},
    {"qmail-remote", FEEDBACK_HARD, "", "550 No such user here"},
    {"qmail-full", FEEDBACK_SOFT, "5.2.2", "quota"},
    {"qmail-spam", FEEDBACK_POLICY, "", "considered spam"},
    {"yahoo-old", FEEDBACK_HARD, "", "This user doesn't have"},
    {"yahoo-552", FEEDBACK_HARD, "", "mailbox not found"},
    {"exim-remote", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"exim-unrouteable", FEEDBACK_HARD, "", "Unrouteable address"},
    {"exim-550-no-status", FEEDBACK_HARD, "", "No Such User Here"},
    {"exim-retry-timeout", FEEDBACK_SOFT, "", ""},
    {"exim-spamhaus", FEEDBACK_POLICY, "", "black list"},
    {"exim-delayed", FEEDBACK_NONE, "", "delayed"},
    {"sendmail-text", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"postfix-text-only", FEEDBACK_HARD, "5.1.1", "User unknown"},
    {"postfix-text-policy", FEEDBACK_POLICY, "5.7.1", "Service unavailable"},
    {"exchange-ndr", FEEDBACK_HARD, "5.1.10", "RecipientNotFound"},
    {"exchange-no-code", FEEDBACK_HARD, "", "does not exist at the organization"},
    {"exchange-restricted", FEEDBACK_POLICY, "5.7.133", "authentication required"},
    {"gmail-text", FEEDBACK_HARD, "5.1.1", "does not exist"},
    {"gmail-delay", FEEDBACK_NONE, "", "delayed"},
    {"gmail-blocked", FEEDBACK_POLICY, "", "Message blocked"},
    {"german", FEEDBACK_HARD, "", "unbekannt"},
    /* no bounces */
    {"vacation", FEEDBACK_NONE, "", "automatic answer"},
    {"vacation-null-sender", FEEDBACK_NONE, "", "no bounce"},
    {"challenge", FEEDBACK_NONE, "", "automatic answer"},
    {"a-question", FEEDBACK_NONE, "", "no bounce"},
    {"read-receipt", FEEDBACK_NONE, "", "no bounce"},
    {"empty", FEEDBACK_NONE, "", "no bounce"},
    {"only-nuls", FEEDBACK_NONE, "", "no bounce"},
    {"only-colons", FEEDBACK_NONE, "", "no bounce"},
    /* RFC 5965 */
    {"arf-abuse", FEEDBACK_COMPLAINT, "", "abuse"},
    {"arf-fraud", FEEDBACK_COMPLAINT, "", "fraud"},
    {"arf-unknown-word", FEEDBACK_COMPLAINT, "", "displeasure"},
    {"arf-not-spam", FEEDBACK_NONE, "", "no spam"},
    {"arf-auth-failure", FEEDBACK_POLICY, "", "auth-failure"},
    {"arf-embedded-only", FEEDBACK_COMPLAINT, "", "abuse"},
    {"hotmail-jmrp", FEEDBACK_COMPLAINT, "", ""},
};

static void every_form(void **state)
{
    int wrong = 0;

    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct bounce got;
        read_named(samples[i].name, &got);
        const char *said = got.kind == FEEDBACK_NONE ? got.what : got.text;
        if (got.kind == samples[i].kind && strcmp(got.status, samples[i].status) == 0 && strstr(said, samples[i].text))
            continue;
        print_error("%s: %s %s \"%s\", expected %s %s \"%s\"\n", samples[i].name, feedback_name(got.kind), got.status,
                    said, feedback_name(samples[i].kind), samples[i].status, samples[i].text);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* Every file has its line above, names our message where it can, and never says about whom it is. */
static void every_file(void **state)
{
    static const char *const nameless[] = {"empty", "only-nuls", "only-colons"};
    char path[1024];
    size_t count = 0;
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/tests/samples/bounce", getenv("ONSALE_SOURCE"));
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        struct bounce got;
        bool listed = false, named = true;
        if (entry->d_name[0] == '.')
            continue;
        auto_free char *name = text_dup((struct text){entry->d_name, strlen(entry->d_name) - strlen(".eml")});
        count++;
        read_named(name, &got);
        for (size_t i = 0; i < ARRAY_LEN(samples); i++)
            listed |= strcmp(samples[i].name, name) == 0;
        for (size_t i = 0; i < ARRAY_LEN(nameless); i++)
            named &= strcmp(nameless[i], name) != 0;
        if (!listed || (named && (got.token_count == 0 || strcmp(got.tokens[0], TOKEN) != 0)) ||
            strchr(got.text, '@') || strcasestr(got.text, "ana.lima"))
            fail_msg("%s: listed %d, %zu tokens, the first \"%s\", text \"%s\"", name, listed, got.token_count,
                     got.tokens[0], got.text);
    }
    closedir(folder);
    assert_int_equal(count, ARRAY_LEN(samples));
}

/* Whom it is about is said by the mail server first. */
static void recipients(void **state)
{
    static const char other[] = "abcdefghijklmnopqrstuvwxyz";
    struct bounce got;
    size_t len;
    auto_free char *bytes = read_sample("postfix-user-unknown.eml", &len);
    struct text message = {bytes, len};

    bounce_read(message, (const char *const[]){NULL, "bounces+abcdefghijklmnopqrstuvwxyz@arena.example"}, 2, &got);
    assert_int_equal(got.token_count, 2);
    assert_string_equal(got.tokens[0], other);
    assert_string_equal(got.tokens[1], TOKEN);
    bounce_read(message, (const char *const[]){"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, 1, &got);
    assert_string_equal(got.tokens[0], other);
    /* not 26 characters, or not base32 */
    bounce_read(message,
                (const char *const[]){"b+abcdefghijklmnopqrstuvwxy@x", "b+abcdefghijklmnopqrstuvwxyza@x",
                                      "b+abcdefghijklmnopqrstuvwxy1@x"},
                3, &got);
    assert_int_equal(got.token_count, 1);
    assert_string_equal(got.tokens[0], TOKEN);
}

static void judged(void **state)
{
    static const struct {
        struct bounce_status field;
        const char *said;
        enum feedback kind;
        const char *status;
    } cases[] = {
        {{5, 1, 1}, "", FEEDBACK_HARD, "5.1.1"},
        {{5, 1, 0}, "", FEEDBACK_HARD, "5.1.0"},
        {{5, 1, 2}, "", FEEDBACK_HARD, "5.1.2"},
        {{5, 1, 3}, "", FEEDBACK_HARD, "5.1.3"},
        {{5, 1, 4}, "", FEEDBACK_SOFT, "5.1.4"}, /* ambiguous */
        {{5, 1, 6}, "", FEEDBACK_HARD, "5.1.6"},
        {{5, 1, 10}, "", FEEDBACK_HARD, "5.1.10"},
        {{5, 2, 0}, "", FEEDBACK_SOFT, "5.2.0"},
        {{5, 2, 1}, "", FEEDBACK_HARD, "5.2.1"},
        {{5, 2, 2}, "550 user unknown", FEEDBACK_SOFT, "5.2.2"},
        {{5, 1, 1}, "550 5.1.1 mailbox full", FEEDBACK_SOFT, "5.1.1"},
        {{5, 4, 1}, "550 5.4.1 Recipient address rejected: Access denied", FEEDBACK_SOFT, "5.4.1"},
        {{5, 5, 0}, "550 5.5.0 Requested action not taken: mailbox unavailable", FEEDBACK_SOFT, "5.5.0"},
        {{4, 2, 2}, "452 4.2.2 mailbox full", FEEDBACK_SOFT, "4.2.2"},
        {{4, 7, 0}, "421 4.7.0 [TSS04] Messages temporarily deferred", FEEDBACK_SOFT, "4.7.0"},
        {{4, 4, 7}, "550 5.7.1 blocked", FEEDBACK_POLICY, "5.7.1"},
        {{2, 0, 0}, "550 user unknown", FEEDBACK_SOFT, "2.0.0"},
        {{0}, "550 user unknown", FEEDBACK_HARD, ""},
        {{0}, "551 no such user", FEEDBACK_HARD, ""},
        {{0}, "553 mailbox unavailable", FEEDBACK_HARD, ""},
        {{0}, "552 mailbox unavailable", FEEDBACK_SOFT, ""},
        {{0}, "554 invalid mailbox", FEEDBACK_SOFT, ""},
        {{0}, "450 user unknown", FEEDBACK_SOFT, ""},
        {{0}, "550 administrative prohibition", FEEDBACK_SOFT, ""},
        {{0}, "550 prohibited: user unknown", FEEDBACK_POLICY, ""},
        {{0}, "user unknown", FEEDBACK_HARD, ""},
        {{5, 0, 0}, "554 user doesn\xE2\x80\x99t have an account here", FEEDBACK_HARD, "5.0.0"},
        {{5, 0, 0}, "550-5.1.1 gone", FEEDBACK_HARD, "5.1.1"},
        {{5, 0, 0}, "450 4.2.1 wait", FEEDBACK_SOFT, "5.0.0"},
        {{5, 1, 1}, "550 see https://antispam.example/policy/blocked", FEEDBACK_HARD, "5.1.1"},
        {{5, 1, 1}, "550 <spam@dmarc.example> unknown", FEEDBACK_HARD, "5.1.1"},
        {{5, 1, 1}, "550 (SPAM)", FEEDBACK_POLICY, "5.1.1"},
        {{5, 1, 1}, "550 5.1.1 from 5.7.1.9 port 25", FEEDBACK_HARD, "5.1.1"},
        {{5, 7, 1}, "", FEEDBACK_POLICY, "5.7.1"},
        {{5, 1, 7}, "", FEEDBACK_POLICY, "5.1.7"},
        {{5, 999, 999}, "", FEEDBACK_SOFT, "5.999.999"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char status[BOUNCE_STATUS_MAX];
        enum feedback kind = bounce_judge(cases[i].field, text_of(cases[i].said), status);
        if (kind != cases[i].kind || strcmp(status, cases[i].status) != 0)
            fail_msg("%zu \"%s\": %s %s", i, cases[i].said, feedback_name(kind), status);
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        int code, class, subject, detail;
    } cases[] = {
        {"550 5.1.1 x", 550, 5, 1, 1},
        {"550-5.1.1 x", 550, 5, 1, 1},
        {"#5.1.1", 0, 5, 1, 1},
        {"(#4.2.2).", 0, 4, 2, 2},
        {"said: 421-4.7.0", 421, 4, 7, 0},
        {"554: delivery error", 554, 0, 0, 0},
        {"192.0.2.10 5.9.11.2 15.1.1 5.1.1.", 0, 5, 1, 1},
        {"5.1.1a x5.1.1 5.1 5.1. 5..1 5.1111.1", 0, 0, 0, 0},
        {"1550 5501 560 599 399", 0, 0, 0, 0},
        {"", 0, 0, 0, 0},
        {"5.1.1", 0, 5, 1, 1},
        {"550", 550, 0, 0, 0},
        {"3.1.1", 0, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bounce_status s = bounce_status_in(text_of(cases[i].text));
        int code = bounce_code_in(text_of(cases[i].text));
        if (code != cases[i].code || s.class != cases[i].class || s.subject != cases[i].subject ||
            s.detail != cases[i].detail)
            fail_msg("\"%s\": %d, %d.%d.%d", cases[i].text, code, s.class, s.subject, s.detail);
    }
}

static void scrubbed(void **state)
{
    static const struct {
        const char *said, *out;
    } cases[] = {
        {"550 <ana@fans.example> unknown", "550 <***> unknown"},
        {"550 ana@fans.example: unknown", "550 ***: unknown"},
        {"550  5.1.1\r\n\tana@fans.example", "550 5.1.1 ***"},
        {"\"ana lima\"@fans.example unknown", "*** unknown"},
        {"\"ana lima\" unknown", "\"ana lima\" unknown"},
        {"see https://x.example/?who=ana%40fans.example&x", "see https***"},
        {"bounces-ana=40fans.example", "***"},
        {"user ana.lima unknown", "user *** unknown"},
        {"user ANA.LIMA. unknown", "user ***. unknown"},
        {"user ana.limal unknown", "user ana.limal unknown"},
        {"a\x1B[2Jb \x80\xFF", "a [2Jb ??"},
        {"@", "***"},
        {"", ""},
    };
    static const struct text known[] = {{"ana.lima@fans.example", 21}, {"", 0}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[BOUNCE_TEXT_MAX + 1];
        bounce_scrub(text_of(cases[i].said), known, ARRAY_LEN(known), out);
        if (i == 5 ? !!strstr(out, "ana") : strcmp(out, cases[i].out) != 0)
            fail_msg("\"%s\" became \"%s\"", cases[i].said, out);
    }
}

static void limits(void **state)
{
    char out[BOUNCE_TEXT_MAX + 1];
    struct buf big;
    struct bounce got;

    buf_init(&big, 64 << 20);
    for (int i = 0; i < BOUNCE_TEXT_MAX; i++)
        buf_adds(&big, "\xE2\x82\xAC");
    bounce_scrub(buf_text(&big), NULL, 0, out);
    assert_int_equal(strlen(out), BOUNCE_TEXT_MAX);
    assert_true(text_is_utf8(text_of(out)));

    /* one line of ten megabytes in a header, then in a body */
    buf_reset(&big);
    buf_adds(&big,
             "From: MAILER-DAEMON@x.example\r\nTo: bounces+" TOKEN "@arena.example\r\nSubject: failure notice\r\n\r\n");
    buf_adds(&big, "<a@b.example>: 550 5.1.1 user unknown ");
    for (int i = 0; i < 10 << 20; i++)
        buf_addc(&big, "@ab<"[i % 4]);
    bounce_read(buf_text(&big), NULL, 0, &got);
    assert_int_equal(got.kind, FEEDBACK_HARD);
    assert_string_equal(got.tokens[0], TOKEN);
    buf_reset(&big);
    buf_adds(&big, "X: ");
    for (int i = 0; i < 10 << 20; i++)
        buf_addc(&big, "x\n \t"[i % 4]);
    bounce_read(buf_text(&big), NULL, 0, &got);
    assert_int_equal(got.kind, FEEDBACK_NONE);

    /* more tokens than anybody needs */
    buf_reset(&big);
    buf_adds(&big, "From: MAILER-DAEMON@x.example\nSubject: failure notice\nTo: bounces+" TOKEN "@arena.example\n\n");
    for (char c = 'a'; c <= 'z'; c++)
        buf_addf(&big, "<bcdefghijklmnopqrstuvwxyz%c@x>\n", c);
    bounce_read(buf_text(&big), NULL, 0, &got);
    assert_int_equal(got.token_count, BOUNCE_TOKENS_MAX);
    assert_string_equal(got.tokens[0], TOKEN);
    buf_clear(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form), cmocka_unit_test(every_file), cmocka_unit_test(recipients),
        cmocka_unit_test(judged),     cmocka_unit_test(numbers),    cmocka_unit_test(scrubbed),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
