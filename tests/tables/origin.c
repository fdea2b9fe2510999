#include "origin.h"
#include "table.h"

#include <string.h>

static void addresses(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1:8470", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},
        {"::", "::"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:x", NULL},
        {"192.0.2.1:70000", NULL},
        {"192.0.2.1 ", NULL},
        {"[192.0.2.1]", NULL},
        {"[2001:db8::1", NULL},
        {"[2001:db8::1]x", NULL},
        {"[]", NULL},
        {"2001:db8::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"unknown", NULL},
        {"_hidden", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct origin origin;
        char written[ORIGIN_TEXT_SIZE] = "";
        int rc = origin_read(text_of(cases[i].text), &origin);
        if (rc == 0)
            origin_write(&origin, written);
        if ((rc == 0) != (cases[i].written != NULL) || (rc == 0 && strcmp(written, cases[i].written) != 0))
            fail_msg("%s: %s", cases[i].text, rc == 0 ? written : "refused");
    }
}

static void networks(void **state)
{
    static const struct {
        const char *net, *inside, *outside; /* inside NULL: refused */
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.0/23", "192.0.3.1", "192.0.4.0"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
        {"0.0.0.0/0", "203.0.113.1", "2001:db8::1"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        {"::/0", "192.0.2.1", NULL},
        {"192.0.2.0/33", NULL, NULL},
        {"2001:db8::/129", NULL, NULL},
        {"192.0.2.0/", NULL, NULL},
        {"192.0.2.0/-1", NULL, NULL},
        {"192.0.2.0:80/24", NULL, NULL},
        {"/24", NULL, NULL},
        {"proxy.example", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct origin_net net;
        struct origin origin;
        struct error err = {0};
        int rc = origin_net_read(text_of(cases[i].net), &net, &err);
        if ((rc == 0) != (cases[i].inside != NULL) || (rc < 0 && !strstr(err.text, "expected")))
            fail_msg("%s: %d %s", cases[i].net, rc, err.text);
        if (cases[i].inside && (origin_read(text_of(cases[i].inside), &origin) < 0 || !origin_within(&origin, &net, 1)))
            fail_msg("%s: %s is not inside", cases[i].net, cases[i].inside);
        if (cases[i].outside &&
            (origin_read(text_of(cases[i].outside), &origin) < 0 || origin_within(&origin, &net, 1)))
            fail_msg("%s: %s is inside", cases[i].net, cases[i].outside);
    }
}

static void loopback(void **state)
{
    static const struct {
        const char *text;
        bool inside;
    } cases[] = {{"127.0.0.1", true},  {"127.255.0.9", true}, {"::1", true},      {"126.255.255.255", false},
                 {"128.0.0.0", false}, {"::2", false},        {"0.0.0.0", false}, {"::", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct origin origin;
        assert_int_equal(origin_read(text_of(cases[i].text), &origin), 0);
        if (origin_within(&origin, origin_loopback, ARRAY_LEN(origin_loopback)) != cases[i].inside)
            fail_msg("%s", cases[i].text);
    }
}

/* 10.0.0.0/8 and fd00::/8 are our proxies; 10.0.0.1 spoke to us. */
static void behind_proxies(void **state)
{
    static const struct {
        const char *what, *forwarded, *client;
    } cases[] = {
        {"nothing said", "", "10.0.0.1"},
        {"one", "192.0.2.1", "192.0.2.1"},
        {"with a port", "192.0.2.1:5555", "192.0.2.1"},
        {"of IPv6", "\"x\", [2001:db8::1]:443", "2001:db8::1"},
        {"a second proxy", "192.0.2.1, 10.0.0.2", "192.0.2.1"},
        {"two kinds of proxies", "192.0.2.1 ,fd00::7,\t10.0.0.2 ", "192.0.2.1"},
        {"what the client wrote itself", "203.0.113.9, 192.0.2.1", "192.0.2.1"},
        {"a client that names our proxy", "10.0.0.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"},
        {"proxies alone", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"garbage", "no address", "10.0.0.1"},
        {"garbage to the right", "192.0.2.1, unknown", "10.0.0.1"},
        {"garbage left of a proxy", "192.0.2.1, ;drop, 10.0.0.2", "10.0.0.2"},
        {"an empty entry", "192.0.2.1,,10.0.0.2", "10.0.0.2"},
        {"a comma at the end", "192.0.2.1,", "10.0.0.1"},
    };
    struct origin_net proxies[2];
    struct origin peer;

    (void)state;
    assert_int_equal(origin_net_read(TEXT("10.0.0.0/8"), &proxies[0], NULL), 0);
    assert_int_equal(origin_net_read(TEXT("fd00::/8"), &proxies[1], NULL), 0);
    assert_int_equal(origin_read(TEXT("10.0.0.1"), &peer), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char written[ORIGIN_TEXT_SIZE];
        struct origin client = origin_behind(&peer, text_of(cases[i].forwarded), proxies, ARRAY_LEN(proxies));
        origin_write(&client, written);
        if (strcmp(written, cases[i].client) != 0)
            fail_msg("%s: %s", cases[i].what, written);
    }
}

static void groups(void **state)
{
    static const struct {
        const char *one, *other;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"2001:db8::1", "2001:db8::ffff:0:0:1", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct origin one, other;
        assert_int_equal(origin_read(text_of(cases[i].one), &one), 0);
        assert_int_equal(origin_read(text_of(cases[i].other), &other), 0);
        one = origin_group(&one);
        other = origin_group(&other);
        if (origin_equal(&one, &other) != cases[i].same)
            fail_msg("%s and %s", cases[i].one, cases[i].other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),      cmocka_unit_test(networks), cmocka_unit_test(loopback),
        cmocka_unit_test(behind_proxies), cmocka_unit_test(groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
