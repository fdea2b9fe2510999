#include "crypt_keys.h"
#include "table.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

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

static void write_keys(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fchmod(fileno(file), 0600);
    fputs(content, file);
    fclose(file);
}

static void read_back(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void keys_are_made_once(void **state)
{
    char path[64], mark[CRYPT_KEYS_MARK_SIZE], mark_again[CRYPT_KEYS_MARK_SIZE];
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
    assert_int_equal(keys.unsubscribe_count, 1);
    assert_int_equal(keys.unsubscribe[0].id, 1);
    crypt_keys_mark(&keys, mark);
    crypt_keys_mark(&again, mark_again);
    assert_string_equal(mark, mark_again);
    again.message_id[CRYPT_KEY_SIZE - 1] ^= 1;
    crypt_keys_mark(&again, mark_again);
    assert_string_not_equal(mark, mark_again);
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
#define BOTH "person: " HEX "\nmessage-id: " HEX "\n"

static void bad_files(void **state)
{
    static const struct {
        const char *content, *says; /* NULL: fine */
    } cases[] = {
        {BOTH, NULL},
        {"# made by hand\n\n message-id : " HEX "\r\nperson:" HEX, NULL},
        {"", "person key is missing"},
        {"person: " HEX "\n", "message-id key is missing"},
        {"person: " HEX "\nperson: " HEX "\n", "line 2: a second person key"},
        {"person: " HEX "0\n", "line 1: expected 64 hexadecimal digits"},
        {"person: x" HEX "\n", "line 1: expected 64 hexadecimal digits"},
        {"token: " HEX "\n", "line 1: expected \"person: KEY\""},
        {BOTH "unsubscribe-1: " HEX HEX "\nunsubscribe-255:" HEX HEX, NULL},
        {BOTH "unsubscribe-0: " HEX HEX "\n", "line 3: expected \"person: KEY\""},
        {BOTH "unsubscribe-01: " HEX HEX "\n", "line 3: expected \"person: KEY\""},
        {BOTH "unsubscribe-256: " HEX HEX "\n", "line 3: expected \"person: KEY\""},
        {BOTH "unsubscribe-x: " HEX HEX "\n", "line 3: expected \"person: KEY\""},
        {BOTH "unsubscribe-: " HEX HEX "\n", "line 3: expected \"person: KEY\""},
        {BOTH "unsubscribe-2: " HEX "\n", "line 3: expected 128 hexadecimal digits for unsubscribe-2"},
        {BOTH "unsubscribe-2: " HEX HEX "\nunsubscribe-2: " HEX HEX "\n", "line 4: a second unsubscribe-2 key"},
        {"\n" HEX "\n", "line 2: expected \"person: KEY\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[64];
        struct crypt_keys keys;
        struct error err = {0};
        in_folder(path, sizeof path, "bad");
        write_keys(path, cases[i].content);
        int rc = crypt_keys_load(path, false, &keys, &err);
        if (cases[i].says ? rc == 0 || !strstr(err.text, cases[i].says) || strstr(err.text, "0102") : rc < 0)
            fail_msg("case %zu: %s", i, err.text);
        unlink(path);
    }
}

/* A file of the version before: the daemon adds what is missing, a command leaves it as it is. */
static void an_older_file_is_completed(void **state)
{
    static const char *const cases[] = {
        BOTH, "# made by hand\n\n message-id : " HEX "\r\nperson:" HEX, /* no end of the last line */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[64], link_path[64], content[2048];
        struct crypt_keys keys, again;
        struct error err = {0};
        struct stat st;
        in_folder(path, sizeof path, "old");
        in_folder(link_path, sizeof link_path, "link");
        write_keys(path, cases[i]);
        assert_int_equal(symlink(path, link_path), 0);
        assert_int_equal(crypt_keys_load(link_path, false, &keys, &err), 0);
        assert_int_equal(keys.unsubscribe_count, 0);
        read_back(path, content, sizeof content);
        assert_string_equal(content, cases[i]);

        assert_int_equal(crypt_keys_load(link_path, true, &keys, &err), 0);
        assert_int_equal(keys.unsubscribe_count, 1);
        assert_int_equal(keys.person[31], 0x1f);
        assert_int_equal(lstat(link_path, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        read_back(path, content, sizeof content);
        assert_memory_equal(content, cases[i], strlen(cases[i]));
        assert_int_equal(crypt_keys_load(path, true, &again, &err), 0);
        assert_memory_equal(&again, &keys, sizeof keys);
        unlink(link_path);
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

/* `content`: the file that is there before; NULL none. */
static void start_together(const char *content)
{
    struct crypt_keys keys[8];
    pthread_t threads[8];
    char path[64];
    void *failed;

    in_folder(path, sizeof path, "race");
    if (content)
        write_keys(path, content);
    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, load_keys, &keys[i]);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
        assert_memory_equal(&keys[i], &keys[0], sizeof *keys);
        assert_int_equal(keys[i].unsubscribe_count, 1);
    }
    unlink(path);
}

static void starts_together(void **state)
{
    (void)state;
    start_together(NULL);
}

static void updates_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20; i++)
        start_together(BOTH);
}

static void people_differ(void **state)
{
    struct crypt_keys keys = {.person = {7}}, others = {.person = {8}};
    unsigned char ann[PERSON_KEY_SIZE], bob[PERSON_KEY_SIZE], elsewhere[PERSON_KEY_SIZE];

    (void)state;
    crypt_person_key(&keys, "ann@example.org", ann);
    crypt_person_key(&keys, "bob@example.org", bob);
    crypt_person_key(&others, "ann@example.org", elsewhere);
    assert_memory_not_equal(ann, bob, sizeof ann);
    assert_memory_not_equal(ann, elsewhere, sizeof ann);
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0); /* no drafts of key files */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_made_once),         cmocka_unit_test(bad_files),
        cmocka_unit_test(an_older_file_is_completed), cmocka_unit_test(starts_together),
        cmocka_unit_test(updates_together),           cmocka_unit_test(people_differ),
        cmocka_unit_test(leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("crypt_keys", tests, setup, NULL);
}
