#include "brake.h"
#include "table.h"
#include "text.h"

/* Answers as a row of letters: `.` accepted, `a`, `b`, `c` refused with a code each. */
static int code_of(char letter)
{
    return letter == '.' ? 0 : letter == 'a' ? 550 : letter == 'b' ? 451 : 554;
}

/* Plays `times` rounds of `answers`; returns after how many answers the brake first stopped us, 0 never. */
static unsigned stopped_after(const char *answers, unsigned times)
{
    struct brake brake = {0};
    unsigned heard = 0;

    for (unsigned round = 0; round < times; round++)
        for (const char *at = answers; *at; at++) {
            heard++;
            if (brake_takes(&brake, code_of(*at)))
                return heard;
        }
    return 0;
}

static const struct {
    const char *name;
    const char *answers;
    unsigned times, stops_after; /* 0: never */
} rows[] = {
    {"all accepted", ".", 1000, 0},
    {"twenty in a row stop the twentieth", "a", 1000, 20},
    {"nineteen in a row do not", "aaaaaaaaaaaaaaaaaaa.........................................", 50, 0},
    {"an accepted one breaks the row, not the half of the last 200", "aaaaaaaaaaaaaaaaaaa.", 11, 201},
    {"two codes by turns are no row; each is half of the last 200", "ab", 1000, 200},
    {"three codes by turns are nobody's half", "abc", 1000, 0},
    {"every second one, once 200 were heard", "a.", 1000, 201},
    {"a little under half never", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a..", 100, 0},
    {"nothing is judged by half before 200 were heard", "a.", 100, 0},
};

static void stops(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned after = stopped_after(rows[i].answers, rows[i].times);
        if (after != rows[i].stops_after)
            fail_msg("%s: stopped after %u, expected %u", rows[i].name, after, rows[i].stops_after);
    }
}

/* What was refused long ago is forgotten. */
static void forgets(void **state)
{
    struct brake brake = {0};

    for (int i = 0; i < 19; i++)
        assert_false(brake_takes(&brake, 550));
    for (int i = 0; i < BRAKE_WINDOW; i++)
        assert_false(brake_takes(&brake, 0));
    for (int i = 0; i < 19; i++)
        assert_false(brake_takes(&brake, 550));
    assert_true(brake_takes(&brake, 550));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops),
        cmocka_unit_test(forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
