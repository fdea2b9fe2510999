#include "letters.h"
#include "table.h"

#include <string.h>

/* RFC 4648 section 10, and what is not quite that. */
static void reads(void **state)
{
    static const struct {
        enum letters kind;
        const char *letters, *bytes; /* NULL: refused */
    } cases[] = {
        {LETTERS_BASE64, "", ""},
        {LETTERS_BASE64, "Zg==", "f"},
        {LETTERS_BASE64, "Zm8=", "fo"},
        {LETTERS_BASE64, "Zm9v", "foo"},
        {LETTERS_BASE64, "Zm9vYg==", "foob"},
        {LETTERS_BASE64, "Zm9vYmE=", "fooba"},
        {LETTERS_BASE64, "Zm9vYmFy", "foobar"},
        {LETTERS_BASE64, "fm9+", "~o~"},
        {LETTERS_BASE64URL, "fm9-", "~o~"},
        {LETTERS_BASE64URL, "Zg", "f"},
        {LETTERS_BASE64URL, "Zm8", "fo"},
        {LETTERS_BASE32, "my", "f"},
        {LETTERS_BASE32, "mzxq", "fo"},
        {LETTERS_BASE32, "mzxw6", "foo"},
        {LETTERS_BASE32, "mzxw6yq", "foob"},
        {LETTERS_BASE32, "mzxw6ytboi", "foobar"},
        {LETTERS_BASE64, "Zg", NULL},
        {LETTERS_BASE64, "Zg=", NULL},
        {LETTERS_BASE64, "Zg===", NULL},
        {LETTERS_BASE64, "Zm9v====", NULL},
        {LETTERS_BASE64, "=", NULL},
        {LETTERS_BASE64, "====", NULL},
        {LETTERS_BASE64, "Z===", NULL},
        {LETTERS_BASE64, "Zh==", NULL}, /* spare bits */
        {LETTERS_BASE64, "Zm9=", NULL},
        {LETTERS_BASE64, "Zg==Zg==", NULL},
        {LETTERS_BASE64, "Z g=", NULL},
        {LETTERS_BASE64, "Zm9v\n", NULL},
        {LETTERS_BASE64, "fm9-", NULL},
        {LETTERS_BASE64URL, "fm9+", NULL},
        {LETTERS_BASE64URL, "Zg==", NULL},
        {LETTERS_BASE64URL, "Z", NULL},
        {LETTERS_BASE64URL, "Zh", NULL},
        {LETTERS_BASE64URL, "Zm9vZ", NULL},
        {LETTERS_BASE32, "MY", NULL},
        {LETTERS_BASE32, "m", NULL},
        {LETTERS_BASE32, "mz", NULL},
        {LETTERS_BASE32, "mzx", NULL},
        {LETTERS_BASE64, "Zm9vYmFyZm9v", NULL}, /* no room */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char bytes[8] = "", letters[16] = "";
        size_t size, expected = cases[i].bytes ? strlen(cases[i].bytes) : 0;
        int is = letters_read(cases[i].kind, text_of(cases[i].letters), bytes, 6, &size);
        if (is != (cases[i].bytes ? 0 : -1) ||
            (is == 0 && (size != expected || memcmp(bytes, cases[i].bytes, size) != 0)))
            fail_msg("case %zu: %d, \"%s\"", i, is, bytes);
        if (is < 0)
            continue;
        letters_write(cases[i].kind, bytes, size, letters);
        assert_string_equal(letters, cases[i].letters);
        assert_int_equal(letters_count(cases[i].kind, size), strlen(letters));
    }
    size_t size;
    assert_int_equal(letters_read(LETTERS_BASE64URL, (struct text){"Zm\0v", 4}, (char[8]){0}, 8, &size), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
    };
    return cmocka_run_group_tests_name("letters", tests, NULL, NULL);
}
