#include "crypt.h"
#include "table.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static void from_hex(const char *hex, unsigned char *out)
{
    for (; *hex; hex += 2)
        sscanf(hex, "%2hhx", out++);
}

/* RFC 4231 section 4; those whose keys fit ours. HMAC pads a short key with zeros (RFC 2104 section 2). */
static void vectors(void **state)
{
    static const struct {
        const char *key, *message, *mac;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
         "dddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char key[CRYPT_KEY_SIZE] = {0}, message[64], mac[32], out[32];
        from_hex(cases[i].key, key);
        from_hex(cases[i].message, message);
        from_hex(cases[i].mac, mac);
        crypt_hmac(key, (struct text){(const char *)message, strlen(cases[i].message) / 2}, out);
        assert_memory_equal(out, mac, sizeof mac);
    }
}

static void tokens(void **state)
{
    struct crypt_keys keys;
    unsigned char person[PERSON_KEY_SIZE], other[PERSON_KEY_SIZE];
    char token[27], again[27];

    (void)state;
    memset(&keys, 7, sizeof keys);
    crypt_person_key(&keys, "ann@example.org", person);
    crypt_person_key(&keys, "bob@example.org", other);
    assert_memory_not_equal(person, other, sizeof person);

    crypt_message_token(&keys, 17, person, "mail", token);
    assert_int_equal(strlen(token), 26);
    assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyz234567"), 26);
    crypt_message_token(&keys, 17, person, "mail", again);
    assert_string_equal(token, again);
    crypt_message_token(&keys, 17, other, "mail", again);
    assert_string_not_equal(token, again);
    crypt_message_token(&keys, 18, person, "mail", again);
    assert_string_not_equal(token, again);
    crypt_message_token(&keys, 17, person, "push", again);
    assert_string_not_equal(token, again);
}

/* Fixed for ever: a Message-ID must be the same after an update of the program. Made with Python's hmac and base64. */
static void token_stays(void **state)
{
    struct crypt_keys keys;
    unsigned char person[PERSON_KEY_SIZE];
    char token[27];

    (void)state;
    for (size_t i = 0; i < CRYPT_KEY_SIZE; i++) {
        keys.person[i] = (unsigned char)i;
        keys.message_id[i] = (unsigned char)(i + 100);
    }
    crypt_person_key(&keys, "ann@example.org", person);
    crypt_message_token(&keys, 17, person, "mail", token);
    assert_string_equal(token, "2p7f6ctxajnfxvkba7g6hbjc3i");
}

static char folder[] = "/tmp/onsale-crypt-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static void in_folder(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
}

static void keys_are_made_once(void **state)
{
    char path[64];
    struct crypt_keys keys, again;
    struct error err = {0};
    struct stat st;

    (void)state;
    in_folder(path, sizeof path, "keys");
    assert_int_equal(crypt_keys_load(path, false, &keys, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    err = (struct error){0};
    assert_int_equal(crypt_keys_load(path, true, &keys, &err), 0);
    assert_int_equal(crypt_keys_load(path, true, &again, &err), 0);
    assert_memory_equal(&keys, &again, sizeof keys);
    assert_memory_not_equal(keys.person, keys.message_id, sizeof keys.person);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    chmod(path, 0640);
    assert_int_equal(crypt_keys_load(path, true, &again, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "chmod 600"));
    unlink(path);
}

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void bad_files(void **state)
{
    static const struct {
        const char *content, *says; /* NULL: fine */
    } cases[] = {
        {"person: " HEX "\nmessage-id: " HEX "\n", NULL},
        {"# made by hand\n\n message-id : " HEX "\r\nperson:" HEX, NULL},
        {"", "person key is missing"},
        {"person: " HEX "\n", "message-id key is missing"},
        {"person: " HEX "\nperson: " HEX "\n", "line 2: a second person key"},
        {"person: " HEX "0\n", "line 1: expected 64 hexadecimal digits"},
        {"person: x" HEX "\n", "line 1: expected 64 hexadecimal digits"},
        {"token: " HEX "\n", "line 1: expected \"person: KEY\""},
        {"\n" HEX "\n", "line 2: expected \"person: KEY\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[64];
        struct crypt_keys keys;
        struct error err = {0};
        in_folder(path, sizeof path, "bad");
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fchmod(fileno(file), 0600);
        fputs(cases[i].content, file);
        fclose(file);
        int rc = crypt_keys_load(path, false, &keys, &err);
        if (cases[i].says ? rc == 0 || !strstr(err.text, cases[i].says) || strstr(err.text, "0102") : rc < 0)
            fail_msg("case %zu: %s", i, err.text);
        unlink(path);
    }
}

static void *load_keys(void *ctx)
{
    struct crypt_keys *keys = ctx;
    char path[64];

    in_folder(path, sizeof path, "race");
    return crypt_keys_load(path, true, keys, NULL) < 0 ? ctx : NULL;
}

static void starts_together(void **state)
{
    struct crypt_keys keys[8];
    pthread_t threads[8];
    char path[64];
    void *failed;

    (void)state;
    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, load_keys, &keys[i]);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
        assert_memory_equal(&keys[i], &keys[0], sizeof *keys);
    }
    in_folder(path, sizeof path, "race");
    unlink(path);
}

static void randomness(void **state)
{
    (void)state;
    assert_int_not_equal(crypt_random_u64(), crypt_random_u64());
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0); /* no drafts of key files */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),     cmocka_unit_test(tokens),
        cmocka_unit_test(token_stays), cmocka_unit_test(keys_are_made_once),
        cmocka_unit_test(bad_files),   cmocka_unit_test(starts_together),
        cmocka_unit_test(randomness),  cmocka_unit_test(leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("crypt", tests, setup, NULL);
}
