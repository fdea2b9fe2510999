#include "crypt_token.h"
#include "crypt_siv.h"
#include "table.h"

#include <string.h>

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t len = 0;

    for (; *hex; hex += 2)
        sscanf(hex, "%2hhx", &out[len++]);
    return len;
}

/* RFC 5297 appendix A (AES-128-SIV, the tag in front); and one of AES-256-SIV, made with Python's cryptography. */
static void siv_vectors(void **state)
{
    static const struct {
        const char *key, *with[3], *plain, *sealed;
    } cases[] = {
        {"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
         {"101112131415161718191a1b1c1d1e1f2021222324252627"},
         "112233445566778899aabbccddee",
         "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"},
        {"7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
         {"00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100", "102030405060708090a0",
          "09f911029d74e35bd84156c5635688c0"},
         "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
         "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a27"
         "2e9c485b62a3fd5c0d"},
        {"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f06f6e6d6c6b6a69686766656463626160f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff0001020304050"
         "607"
         "08090a0b0c0d0e0f",
         {"101112131415161718191a1b1c1d1e1f2021222324252627"},
         "112233445566778899aabbccddee",
         "f125274c598065cfc26b0e71575029088b035217e380cac8919ee800c126"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char key[64], with[3][64], plain[64], expected[80], sealed[80], again[64];
        struct text parts[3];
        size_t count = 0, key_len = from_hex(cases[i].key, key), len = from_hex(cases[i].plain, plain);
        from_hex(cases[i].sealed, expected);
        for (; count < 3 && cases[i].with[count]; count++)
            parts[count] = (struct text){(const char *)with[count], from_hex(cases[i].with[count], with[count])};
        struct crypt_siv *siv = crypt_siv_new(key, key_len, NULL);
        assert_non_null(siv);
        for (int round = 0; round < 2; round++) { /* one object, many messages */
            assert_int_equal(crypt_siv_seal(siv, parts, count, (struct text){(const char *)plain, len}, sealed), 0);
            assert_memory_equal(sealed, expected, SIV_TAG_SIZE + len);
            struct text given = {(const char *)sealed, SIV_TAG_SIZE + len};
            assert_int_equal(crypt_siv_open(siv, parts, count, given, again), 0);
            assert_memory_equal(again, plain, len);
            sealed[round * SIV_TAG_SIZE] ^= 1; /* the tag, then the text */
            assert_int_equal(crypt_siv_open(siv, parts, count, given, again), -1);
        }
        crypt_siv_free(siv);
    }
}

/* --- Unsubscribe tokens ------------------------------------------------------------------------------------------- */

static struct crypt_keys keys_of(unsigned char filling, const unsigned char *ids, size_t count)
{
    struct crypt_keys keys = {.unsubscribe_count = count};

    memset(keys.message_id, filling, sizeof keys.message_id);
    for (size_t i = 0; i < count; i++) {
        keys.unsubscribe[i].id = ids[i];
        for (size_t k = 0; k < sizeof keys.unsubscribe[i].bytes; k++)
            keys.unsubscribe[i].bytes[k] = (unsigned char)(filling + ids[i] + k);
    }
    return keys;
}

static struct crypt_tokens *tokens_of(unsigned char filling, const char *ids)
{
    struct crypt_keys keys = keys_of(filling, (const unsigned char *)ids, strlen(ids));
    struct crypt_tokens *tokens = crypt_tokens_new(&keys, NULL);

    assert_non_null(tokens);
    return tokens;
}

static const struct unsubscribe_ticket ann = {
    {"arena", 5}, {"fans", 4}, {"4711", 4}, {"ann@example.org", 15}, {"de-AT", 5}};

static bool same(const struct unsubscribe_ticket *a, const struct unsubscribe_ticket *b)
{
    return text_equal(a->site, b->site) && text_equal(a->audience, b->audience) &&
           text_equal(a->source_id, b->source_id) && text_equal(a->address, b->address) &&
           text_equal(a->language, b->language);
}

static bool opens(struct crypt_tokens *tokens, struct text token, const struct unsubscribe_ticket *expected)
{
    struct arena arena = {0};
    struct unsubscribe_ticket ticket;
    int rc = crypt_unseal(tokens, token, &arena, &ticket);

    if (rc == 0)
        assert_true(same(&ticket, expected));
    arena_clear(&arena);
    return rc == 0;
}

static struct buf seal(struct crypt_tokens *tokens, const struct unsubscribe_ticket *ticket)
{
    struct buf token;

    buf_init(&token, UNSUBSCRIBE_TOKEN_MAX);
    assert_int_equal(crypt_seal(tokens, ticket, &token), 0);
    assert_false(buf_failed(&token));
    assert_int_equal(strspn(token.ptr, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), token.len);
    return token;
}

static void round_trips(void **state)
{
    char filled[TICKET_FIELD_MAX];
    struct crypt_tokens *tokens = tokens_of(1, "\1");

    (void)state;
    memset(filled, 'x', sizeof filled);
    struct text longest = {filled, sizeof filled}, odd = {"a\0b\xff", 4}, none = {0};
    const struct unsubscribe_ticket cases[] = {
        ann,
        {none, none, none, none, none},
        {longest, longest, longest, longest, longest},
        {odd, TEXT("a"), none, odd, none},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf token = seal(tokens, &cases[i]), again = seal(tokens, &cases[i]);
        assert_true(opens(tokens, buf_text(&token), &cases[i]));
        assert_string_equal(token.ptr, again.ptr); /* the same link in every mail */
    }
    for (size_t len = 0; len < 40; len++) { /* every length at the end */
        struct unsubscribe_ticket ticket = ann;
        ticket.source_id = text_slice(longest, 0, len);
        auto_buf struct buf token = seal(tokens, &ticket);
        assert_true(opens(tokens, buf_text(&token), &ticket));
    }
    crypt_tokens_free(tokens);
}

static void what_is_too_long_gets_no_link(void **state)
{
    char filled[TICKET_FIELD_MAX + 1] = {0};
    struct crypt_tokens *tokens = tokens_of(1, "\1");
    struct unsubscribe_ticket ticket = ann;
    auto_buf struct buf token;

    (void)state;
    buf_init(&token, UNSUBSCRIBE_TOKEN_MAX);
    ticket.source_id = (struct text){filled, sizeof filled};
    assert_int_equal(crypt_seal(tokens, &ticket, &token), -1);
    assert_int_equal(token.len, 0);
    crypt_tokens_free(tokens);
    tokens = tokens_of(1, ""); /* no key */
    assert_int_equal(crypt_seal(tokens, &ann, &token), -1);
    crypt_tokens_free(tokens);
}

/* Fields do not run into each other: what stands in one cannot be moved to its neighbour. */
static void fields_have_ends(void **state)
{
    struct crypt_tokens *tokens = tokens_of(1, "\1");
    struct unsubscribe_ticket other = ann;

    (void)state;
    other.site = TEXT("aren");
    other.audience = TEXT("afans");
    auto_buf struct buf a = seal(tokens, &ann), b = seal(tokens, &other);
    assert_string_not_equal(a.ptr, b.ptr);
    assert_true(opens(tokens, buf_text(&b), &other));
    crypt_tokens_free(tokens);
}

/* Every token but the one that was written: each letter changed to each other, cut and filled up at each place. */
static void anything_else_is_refused(void **state)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. %\n\x80";
    struct crypt_tokens *tokens = tokens_of(1, "\1\2\377");

    (void)state;
    for (size_t len = 0; len < 3; len++) { /* each number of bits to spare: 0, 2, 4 */
        struct unsubscribe_ticket ticket = ann;
        ticket.source_id = text_slice(TEXT("4711"), 0, 1 + len);
        auto_buf struct buf token = seal(tokens, &ticket), wrong = seal(tokens, &ticket);
        for (size_t at = 0; at < token.len; at++) {
            for (size_t i = 0; i < sizeof letters; i++) { /* with the NUL */
                wrong.ptr[at] = letters[i];
                if (letters[i] != token.ptr[at] && opens(tokens, buf_text(&wrong), &ticket))
                    fail_msg("letter %zu as \"%c\"", at, letters[i]);
            }
            wrong.ptr[at] = token.ptr[at];
            assert_false(opens(tokens, text_slice(buf_text(&token), 0, at), &ticket));
            assert_false(opens(tokens, text_slice(buf_text(&token), at + 1, token.len), &ticket));
        }
        for (size_t i = 0; i < sizeof letters; i++) {
            char longer[400];
            snprintf(longer, sizeof longer, "%s%c", token.ptr, letters[i]);
            assert_false(opens(tokens, (struct text){longer, token.len + 1}, &ticket));
            snprintf(longer, sizeof longer, "%c%s", letters[i], token.ptr);
            assert_false(opens(tokens, (struct text){longer, token.len + 1}, &ticket));
        }
    }
    crypt_tokens_free(tokens);
}

/* The bits themselves, below the letters. */
static void every_flipped_bit_is_refused(void **state)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct crypt_tokens *tokens = tokens_of(1, "\1\2\3");
    auto_buf struct buf token = seal(tokens, &ann);

    (void)state;
    for (size_t bit = 0; bit < 6 * token.len; bit++) {
        char *at = token.ptr + bit / 6, was = *at;
        *at = letters[(strchr(letters, was) - letters) ^ (1 << bit % 6)];
        assert_false(opens(tokens, buf_text(&token), &ann));
        *at = was;
    }
    assert_true(opens(tokens, buf_text(&token), &ann));
    crypt_tokens_free(tokens);
}

static void rotation(void **state)
{
    struct crypt_tokens *old = tokens_of(1, "\1"), *both = tokens_of(1, "\7\1"), *last = tokens_of(1, "\7"),
                        *foreign = tokens_of(2, "\1\7");
    auto_buf struct buf before = seal(old, &ann), after = seal(both, &ann);

    (void)state;
    assert_string_not_equal(before.ptr, after.ptr);
    assert_true(opens(both, buf_text(&before), &ann));
    assert_true(opens(both, buf_text(&after), &ann));
    assert_true(opens(last, buf_text(&after), &ann)); /* the highest id seals, wherever it stands */
    assert_false(opens(old, buf_text(&after), &ann));
    assert_false(opens(last, buf_text(&before), &ann));
    assert_false(opens(foreign, buf_text(&before), &ann));
    assert_false(opens(foreign, buf_text(&after), &ann));
    crypt_tokens_free(old);
    crypt_tokens_free(both);
    crypt_tokens_free(last);
    crypt_tokens_free(foreign);
}

/* --- Message tokens ----------------------------------------------------------------------------------------------- */

static bool names(struct crypt_tokens *tokens, struct text token, int64_t notice, int64_t seq)
{
    int64_t its_notice, its_seq;

    return crypt_message_untoken(tokens, token, &its_notice, &its_seq) == 0 && its_notice == notice && its_seq == seq;
}

static void message_tokens(void **state)
{
    static const int64_t numbers[] = {0, 1, 17, 255, 256, 4294967295, 1099511627775};
    struct crypt_tokens *tokens = tokens_of(1, ""), *others = tokens_of(2, "");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
            char token[MESSAGE_TOKEN_SIZE], again[MESSAGE_TOKEN_SIZE], loud[MESSAGE_TOKEN_SIZE];
            crypt_message_token(tokens, numbers[i], numbers[k], token);
            crypt_message_token(tokens, numbers[i], numbers[k], again);
            assert_int_equal(strlen(token), 26);
            assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyz234567"), 26);
            assert_string_equal(token, again);
            assert_true(names(tokens, text_of(token), numbers[i], numbers[k]));
            for (size_t c = 0; c < sizeof token; c++)
                loud[c] = token[c] >= 'a' && token[c] <= 'z' ? (char)(token[c] - 'a' + 'A') : token[c];
            assert_true(names(tokens, text_of(loud), numbers[i], numbers[k]));
            assert_false(names(others, text_of(token), numbers[i], numbers[k]));
        }
    crypt_tokens_free(tokens);
    crypt_tokens_free(others);
}

static void other_message_tokens_are_refused(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz23456701890=-+@ \x80";
    struct crypt_tokens *tokens = tokens_of(1, "");
    char token[MESSAGE_TOKEN_SIZE], wrong[MESSAGE_TOKEN_SIZE + 1];
    int64_t notice, seq;

    (void)state;
    crypt_message_token(tokens, 17, 4711, token);
    for (size_t at = 0; at < 26; at++) {
        for (size_t i = 0; i < sizeof letters; i++) {
            memcpy(wrong, token, sizeof token);
            wrong[at] = letters[i];
            if (letters[i] != token[at] && crypt_message_untoken(tokens, (struct text){wrong, 26}, &notice, &seq) == 0)
                fail_msg("letter %zu as \"%c\"", at, letters[i]);
        }
        assert_int_equal(crypt_message_untoken(tokens, (struct text){token, at}, &notice, &seq), -1);
    }
    snprintf(wrong, sizeof wrong, "%sa", token);
    assert_int_equal(crypt_message_untoken(tokens, text_of(wrong), &notice, &seq), -1);
    crypt_tokens_free(tokens);
}

/* Fixed for ever: a bounce must name its person, and a link must open, after an update of the program too. Made with
 * Python's cryptography. */
static void tokens_stay(void **state)
{
    struct crypt_tokens *tokens = tokens_of(1, "\1");
    auto_buf struct buf link = seal(tokens, &ann);
    char token[MESSAGE_TOKEN_SIZE];

    (void)state;
    crypt_message_token(tokens, 17, 4711, token);
    assert_string_equal(token, "23yo276dlm6rtspokddaqk3cza");
    assert_string_equal(link.ptr, "AQFM1bb9kXbO71l5dDH9YsGGe7C3YqazoLI9XoSMfbTpOcRY9wnw3VkOesofFJoExqy2W-VEiRw");
    crypt_tokens_free(tokens);
}

static void random_seqs(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t seq = crypt_random_seq();
        assert_in_range(seq, 0, ((int64_t)1 << MESSAGE_TOKEN_NUMBER_BITS) - 1);
        assert_int_not_equal(seq, crypt_random_seq());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siv_vectors),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(what_is_too_long_gets_no_link),
        cmocka_unit_test(fields_have_ends),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(rotation),
        cmocka_unit_test(message_tokens),
        cmocka_unit_test(other_message_tokens_are_refused),
        cmocka_unit_test(tokens_stay),
        cmocka_unit_test(random_seqs),
    };
    return cmocka_run_group_tests_name("crypt_token", tests, NULL, NULL);
}
