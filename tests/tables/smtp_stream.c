/* What is learned of a host that is sent envelopes behind bodies. A row: what happens, in order, one letter and the
 * number of a connection each. */
#include "smtp_stream.h"
#include "table.h"

#include <string.h>

#define ALL_OF(a) (sizeof(a) / sizeof *(a))

static const struct row {
    const char *name;
    enum smtp_pipelining asked;
    const char
        *story; /* b begun, w worked, x broke (X: and that was the last time), g gone; y may, n may not; l, L: late */
} rows[] = {
    {"message never streams", SMTP_MESSAGE, "n1 x1 n1"},
    {"stream always does", SMTP_STREAM, "y1 b1 y2 x1 x2 x1 y1"},
    {"one tries first", SMTP_AUTO, "y1 y2 b1 y1 n2 n3"},
    {"it worked: all do", SMTP_AUTO, "b1 w1 y1 y2 b2 y3 l4"},
    {"what leaves late is no trial", SMTP_AUTO, "L1 y1 b1 L1 L2 w1 l1 l2 b1 x1 L1 L2 y2"},
    {"the one that tries goes away: another tries", SMTP_AUTO, "b1 n2 g1 y2 b2 n1"},
    {"others that go away change nothing", SMTP_AUTO, "b1 g2 n2"},
    {"broken twice is broken", SMTP_AUTO, "b1 x1 y2 b2 n1 X2 n1 n2 n3"},
    {"broken is broken", SMTP_AUTO, "b1 x1 b2 X2 w1 n1 x1 n1"},
    {"once may be chance", SMTP_AUTO, "b1 x1 b2 w2 y1 y3"},
    {"twice is not, even if it worked between", SMTP_AUTO, "b1 w1 b2 x2 b3 n1 w3 y1 b1 X1 n1"},
    {"many at one moment are one", SMTP_AUTO, "b1 w1 b1 b2 b3 x1 x2 x3 y1"},
    {"... and one tries anew", SMTP_AUTO, "b1 w1 b1 b2 b3 x1 x2 b4 x3 n1 w4 y1"},
};

static void tell(const struct row *row)
{
    static const char conns[10];
    struct smtp_stream stream = {.asked = row->asked};

    for (const char *at = row->story; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        const void *conn = &conns[at[1] - '0'];
        bool fine = true;
        if (*at == 'b')
            smtp_stream_begun(&stream, conn);
        else if (*at == 'w')
            smtp_stream_worked(&stream, conn);
        else if (*at == 'g')
            smtp_stream_gone(&stream, conn);
        else if (*at == 'x' || *at == 'X')
            fine = smtp_stream_broke(&stream, conn) == (*at == 'X');
        else if (*at == 'l' || *at == 'L')
            fine = smtp_stream_may(&stream, conn, true) == (*at == 'l');
        else
            fine = smtp_stream_may(&stream, conn, false) == (*at == 'y');
        if (!fine)
            fail_msg("%s: not so at \"%s\"", row->name, at);
    }
}

static void stories(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_OF(rows); i++)
        tell(&rows[i]);
}

static void what_went_well_is_counted(void **state)
{
    struct smtp_stream stream = {.asked = SMTP_AUTO};
    int conn;

    (void)state;
    for (int round = 0; round < 5; round++) { /* now and then a relay is restarted */
        smtp_stream_begun(&stream, &conn);
        assert_false(smtp_stream_broke(&stream, &conn));
        for (int i = 0; i < SMTP_FORGIVE_AFTER; i++) {
            smtp_stream_begun(&stream, &conn);
            smtp_stream_worked(&stream, &conn);
        }
    }
    assert_true(smtp_stream_may(&stream, &conn, false));
}

/* A host that broke streams is tried again after many messages that went well; in vain, and it takes twice as many. */
static void a_broken_one_is_tried_again(void **state)
{
    struct smtp_stream stream = {.asked = SMTP_AUTO};
    int conn, other;

    (void)state;
    for (unsigned patience = SMTP_PATIENCE; patience <= 4 * SMTP_PATIENCE; patience *= 2) {
        while (!stream.broken) {
            smtp_stream_begun(&stream, &conn);
            smtp_stream_broke(&stream, &conn);
        }
        for (unsigned i = 1; i < patience; i++)
            assert_false(smtp_stream_went_well(&stream));
        assert_false(smtp_stream_may(&stream, &conn, false));
        assert_true(smtp_stream_went_well(&stream));
        assert_false(smtp_stream_went_well(&stream)); /* said once */
        assert_true(smtp_stream_may(&stream, &conn, false));
        smtp_stream_begun(&stream, &conn);
        assert_false(smtp_stream_may(&stream, &other, false)); /* one of them */
    }
    smtp_stream_worked(&stream, &conn);
    assert_true(smtp_stream_may(&stream, &other, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(what_went_well_is_counted),
        cmocka_unit_test(a_broken_one_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
