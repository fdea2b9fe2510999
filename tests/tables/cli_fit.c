#include "cli_fit.h"
#include "table.h"
#include "text.h"

#include <string.h>

enum { COLUMNS = 5, NEVER = 0 };

#define TEXT_COLUMN(width, least)                                                                                      \
    {                                                                                                                  \
        {width, width, width}, least, false, false, FIT_WHOLE, 0                                                       \
    }
#define MOMENT_COLUMN                                                                                                  \
    {                                                                                                                  \
        {23, 16, 12}, NEVER, false, false, FIT_WHOLE, 0                                                                \
    }
#define IDLE_COLUMN(width)                                                                                             \
    {                                                                                                                  \
        {width, width, width}, NEVER, true, false, FIT_WHOLE, 0                                                        \
    }

static const struct {
    const char *name;
    struct fit_column columns[COLUMNS]; /* up to the first of no width */
    size_t room;
    bool fits;
    enum fit_form form;
    size_t widths[COLUMNS]; /* 0: left out */
} cases[] = {
    {"room enough", {TEXT_COLUMN(4, NEVER), MOMENT_COLUMN, IDLE_COLUMN(8)}, 80, true, FIT_WHOLE, {4, 23, 8}},
    {"to the letter", {TEXT_COLUMN(4, NEVER), MOMENT_COLUMN, IDLE_COLUMN(8)}, 39, true, FIT_WHOLE, {4, 23, 8}},
    {"a title is cut first",
     {TEXT_COLUMN(36, NEVER), TEXT_COLUMN(60, 8), IDLE_COLUMN(8)},
     80,
     true,
     FIT_WHOLE,
     {36, 32, 8}},
    {"what says nothing goes before a title is cut to bits",
     {TEXT_COLUMN(36, NEVER), TEXT_COLUMN(60, 8), IDLE_COLUMN(8)},
     66,
     true,
     FIT_WHOLE,
     {36, 28, 0}},
    {"then times are shortened",
     {TEXT_COLUMN(20, NEVER), MOMENT_COLUMN, TEXT_COLUMN(60, 8)},
     66,
     true,
     FIT_SHORT,
     {20, 16, 26}},
    {"further", {TEXT_COLUMN(20, NEVER), MOMENT_COLUMN, TEXT_COLUMN(60, 8)}, 60, true, FIT_SHORTEST, {20, 12, 24}},
    {"then titles", {TEXT_COLUMN(20, NEVER), MOMENT_COLUMN, TEXT_COLUMN(60, 8)}, 52, true, FIT_SHORT, {20, 16, 12}},
    {"to the last", {TEXT_COLUMN(20, NEVER), MOMENT_COLUMN, TEXT_COLUMN(60, 8)}, 44, true, FIT_SHORTEST, {20, 12, 8}},
    {"ids never", {TEXT_COLUMN(36, NEVER), MOMENT_COLUMN, TEXT_COLUMN(60, 8)}, 44, false, FIT_SHORTEST, {36, 12, 8}},
    {"short titles stay whole",
     {TEXT_COLUMN(10, 8), TEXT_COLUMN(50, 8), TEXT_COLUMN(50, 8)},
     70,
     true,
     FIT_WHOLE,
     {10, 28, 28}},
    {"nothing but what says nothing", {IDLE_COLUMN(8), IDLE_COLUMN(8)}, 10, true, FIT_WHOLE, {0, 0}},
    {"less than the least", {TEXT_COLUMN(5, 8), TEXT_COLUMN(50, 8)}, 20, true, FIT_SHORT, {5, 13}},
};

static void fits(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fit_column columns[COLUMNS];
        size_t count = 0;
        while (count < COLUMNS && cases[i].columns[count].widths[FIT_WHOLE])
            count++;
        memcpy(columns, cases[i].columns, sizeof columns);
        if (fit_columns(columns, count, cases[i].room) != cases[i].fits)
            fail_msg("%s: fits, or does not", cases[i].name);
        for (size_t k = 0; k < count; k++) {
            if (columns[k].width != cases[i].widths[k] || columns[k].left_out != (cases[i].widths[k] == 0))
                fail_msg("%s: column %zu is %zu wide", cases[i].name, k, columns[k].width);
            if (!columns[k].left_out && columns[k].form != cases[i].form)
                fail_msg("%s: column %zu is written in form %d", cases[i].name, k, (int)columns[k].form);
        }
    }
}

/* Whatever the room: never wider than it is said to fit, never narrower than a column may be. */
static void holds(void **state)
{
    for (size_t room = 1; room < 200; room++) {
        struct fit_column columns[] = {TEXT_COLUMN(36, NEVER), MOMENT_COLUMN, IDLE_COLUMN(9), TEXT_COLUMN(40, 8),
                                       TEXT_COLUMN(90, 12)};
        bool fine = fit_columns(columns, COLUMNS, room);
        size_t width = 0, shown = 0;
        for (size_t k = 0; k < COLUMNS; k++) {
            width += columns[k].width;
            shown += !columns[k].left_out;
            assert_true(columns[k].left_out || columns[k].width >= columns[k].least);
            assert_true(columns[k].least || columns[k].left_out ||
                        columns[k].width == columns[k].widths[columns[k].form]);
        }
        width += FIT_GAP * (shown - 1);
        assert_true(fine ? width <= room : room < 36 + 12 + 8 + 12 + 3 * FIT_GAP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits),
        cmocka_unit_test(holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
