#include "origin.h"
#include "table.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

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

static void public_internet(void **state)
{
    static const struct {
        const char *address;
        bool is_public;
    } cases[] = {
        {"8.8.8.8", true},
        {"1.0.0.1", true},
        {"223.255.255.255", true},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"9.255.255.255", true},
        {"10.0.0.0", false},
        {"10.255.255.255", false},
        {"11.0.0.0", true},
        {"100.63.255.255", true},
        {"100.64.0.0", false},
        {"100.127.255.255", false},
        {"100.128.0.0", true},
        {"126.255.255.255", true},
        {"127.0.0.1", false},
        {"127.255.255.254", false},
        {"128.0.0.1", true},
        {"168.63.129.15", true},
        {"168.63.129.16", false},
        {"168.63.129.17", true},
        {"169.253.255.255", true},
        {"169.254.169.254", false},
        {"169.255.0.0", true},
        {"172.15.255.255", true},
        {"172.16.0.0", false},
        {"172.31.255.255", false},
        {"172.32.0.0", true},
        {"192.0.0.1", false},
        {"192.0.2.1", false},
        {"192.0.3.0", true},
        {"192.88.99.1", false},
        {"192.167.255.255", true},
        {"192.168.0.0", false},
        {"192.168.255.255", false},
        {"192.169.0.0", true},
        {"198.17.255.255", true},
        {"198.18.0.0", false},
        {"198.19.255.255", false},
        {"198.20.0.0", true},
        {"198.51.100.7", false},
        {"203.0.113.7", false},
        {"224.0.0.1", false},
        {"239.255.255.250", false},
        {"240.0.0.1", false},
        {"255.255.255.255", false},
        /* IPv6 */
        {"::", false},
        {"::1", false},
        {"::127.0.0.1", false},
        {"::8.8.8.8", false},
        {"::ffff:8.8.8.8", true},
        {"::ffff:127.0.0.1", false},
        {"::ffff:169.254.169.254", false},
        {"::ffff:0:127.0.0.1", false},
        {"64:ff9b::8.8.8.8", true},
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::10.0.0.1", false},
        {"64:ff9b::169.254.169.254", false},
        {"64:ff9b:1::8.8.8.8", false},
        {"100::1", false},
        {"2001::1", false},
        {"2001:0:808:808::1", false},
        {"2001:1ff::1", false},
        {"2001:200::1", true},
        {"2001:4860:4860::8888", true},
        {"2001:db8::1", false},
        {"2002:808:808::1", true},
        {"2002:7f00:1::1", false},
        {"2002:a00:1::1", false},
        {"2002:a9fe:a9fe::1", false},
        {"2606:4700::1111", true},
        {"3fff::1", false},
        {"3fff:fff::1", false},
        {"3fff:1000::1", true},
        {"4000::1", false},
        {"5f00::1", false},
        {"fc00::1", false},
        {"fd00:ec2::254", false},
        {"fdff::1", false},
        {"fe80::1", false},
        {"febf::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
        {"ffff::1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct origin origin;
        assert_int_equal(origin_read(text_of(cases[i].address), &origin), 0);
        if (origin_is_public(&origin) != cases[i].is_public)
            fail_msg("%s is%s public", cases[i].address, cases[i].is_public ? "" : " not");
    }
}

static void of_sockets(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(0x7F000001)}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = {.s6_addr = {[0] = 0xFE, [1] = 0x80, [15] = 1}}};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char written[ORIGIN_TEXT_SIZE];
    struct origin origin;

    (void)state;
    assert_int_equal(origin_of_socket((const struct sockaddr *)&in, &origin), 0);
    origin_write(&origin, written);
    assert_string_equal(written, "127.0.0.1");
    assert_int_equal(origin_of_socket((const struct sockaddr *)&in6, &origin), 0);
    origin_write(&origin, written);
    assert_string_equal(written, "fe80::1");
    assert_int_equal(origin_of_socket((const struct sockaddr *)&un, &origin), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),      cmocka_unit_test(networks), cmocka_unit_test(loopback),
        cmocka_unit_test(behind_proxies), cmocka_unit_test(groups),   cmocka_unit_test(public_internet),
        cmocka_unit_test(of_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
