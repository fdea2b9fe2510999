/* How many connections a host is given. A row: what happens at which second, and what the window is after it. */
#include "smtp_window.h"
#include "table.h"

#include <stdio.h>

#define ALL_OF(a) (sizeof(a) / sizeof *(a))

enum act { END, OPENED, ACCEPTED, REFUSED, FAILED, DIED, HURRY, MAY, MAY_NOT };
static const char *const acts[] = {"end", "opened", "accepted", "refused", "failed", "died", "hurry", "may", "may not"};

struct step {
    enum act act;
    int at_s;        /* since the start */
    unsigned a, b;   /* opened, may: open and connecting; accepted, failed: busy; refused: open, seconds asked for */
    unsigned limit;  /* after it */
    bool dead;       /* what `failed` says */
    unsigned repeat; /* 0: once; OPENED counts `a` up */
};

static const struct row {
    const char *name;
    int most;
    struct step steps[16];
} rows[] = {
    {"starts with what is configured, when that is little", 5, {{MAY, 0, 4, 0, 5}, {MAY_NOT, 0, 5, 0, 5}}},
    {"starts with 20", 100, {{MAY, 0, 16, 3, 20}, {MAY_NOT, 0, 16, 4, 20}}},
    {"warming opens all of them",
     100,
     {{OPENED, 0, 1, 19, 100, .repeat = 100}, {MAY, 0, 99, 0, 100}, {MAY_NOT, 0, 100, 0, 100}}},
    {"grows by one a success", 100, {{ACCEPTED, 0, 20, 0, 21}, {ACCEPTED, 0, 21, 0, 22}}},
    {"but not while some are idle", 100, {{ACCEPTED, 0, 19, 0, 20}, {ACCEPTED, 0, 3, 0, 20}}},
    {"and not over what is configured", 20, {{ACCEPTED, 0, 20, 0, 20}, {OPENED, 0, 20, 0, 20}}},
    {"a host that lets us have five",
     20,
     {{OPENED, 0, 1, 19, 20, .repeat = 5}, /* the configured ones are the most */
      {REFUSED, 0, 5, 0, 19},
      {MAY_NOT, 0, 5, 0, 19},
      {MAY, 0, 4, 0, 19}, /* one of the five ended: it may be had again at once */
      {MAY, 1, 5, 0, 19}, /* one try */
      {MAY_NOT, 1, 5, 1, 19},
      {REFUSED, 1, 5, 0, 18},
      {MAY_NOT, 2, 5, 0, 18},
      {MAY, 3, 5, 0, 18},
      {REFUSED, 3, 5, 0, 17},
      {MAY_NOT, 6, 5, 0, 17},
      {MAY, 7, 5, 0, 17},
      {OPENED, 7, 6, 0, 17}, /* it has changed its mind */
      {MAY, 7, 6, 3, 17}}},
    {"accepted mail is no reason to knock again",
     20,
     {{REFUSED, 0, 5, 0, 19}, {ACCEPTED, 0, 5, 0, 19, .repeat = 1000}, {MAY_NOT, 0, 5, 0, 19}, {MAY, 1, 5, 0, 19}}},
    {"several refusals at one moment are one",
     20,
     {{REFUSED, 0, 5, 0, 19}, {REFUSED, 0, 5, 0, 18}, {REFUSED, 0, 5, 0, 17}, {MAY, 1, 5, 0, 17}}},
    {"pauses grow to a minute",
     20,
     {{REFUSED, 0, 0, 0, 19},
      {REFUSED, 1, 0, 0, 18},
      {REFUSED, 3, 0, 0, 17},
      {REFUSED, 7, 0, 0, 16},
      {REFUSED, 15, 0, 0, 15},
      {REFUSED, 31, 0, 0, 14},
      {REFUSED, 63, 0, 0, 13},
      {REFUSED, 123, 0, 0, 12},
      {MAY_NOT, 182, 0, 0, 12},
      {MAY, 183, 0, 0, 12}}},
    {"somebody wants a try now",
     20,
     {{REFUSED, 0, 0, 0, 19}, {MAY_NOT, 0, 0, 0, 19}, {HURRY, 0, 0, 0, 19}, {MAY, 0, 0, 0, 19}}},
    {"what the host asked for holds all the same",
     20,
     {{REFUSED, 0, 0, 7200, 19}, {HURRY, 0, 0, 0, 19}, {MAY_NOT, 7199, 0, 0, 19}, {MAY, 7200, 0, 0, 19}}},
    {"throttled by one a reply", 20, {{FAILED, 0, 20, 0, 19}, {FAILED, 0, 20, 0, 18}, {ACCEPTED, 0, 18, 0, 19}}},
    {"never below one", 1, {{FAILED, 0, 1, 0, 1}, {REFUSED, 0, 0, 0, 1}}},
    {"more in a row than are in use: dead",
     20,
     {{FAILED, 0, 4, 0, 16, .repeat = 4}, {FAILED, 0, 4, 0, 15, .dead = true}}},
    {"a success between: not dead",
     20,
     {{FAILED, 0, 4, 0, 16, .repeat = 4}, {ACCEPTED, 0, 4, 0, 16}, {FAILED, 0, 4, 0, 15}}},
    {"after death one, until one message was taken",
     40,
     {{DIED, 0, 0, 0, 1},
      {MAY, 0, 0, 0, 1},
      {MAY_NOT, 0, 0, 1, 1},
      {OPENED, 0, 1, 0, 1},
      {MAY_NOT, 0, 1, 0, 1},
      {ACCEPTED, 0, 1, 0, 20},
      {MAY, 0, 1, 0, 20}}},
};

static void run_step(const struct row *row, size_t number, struct smtp_window *window)
{
    const struct step *step = &row->steps[number];
    int64_t now_ms = 5000 + (int64_t)step->at_s * 1000;
    bool said = false, expected = step->dead;

    for (unsigned i = 0; i < (step->repeat ? step->repeat : 1); i++) {
        if (step->act == OPENED)
            smtp_window_opened(window, step->a + i, step->b);
        else if (step->act == ACCEPTED)
            smtp_window_accepted(window, step->a);
        else if (step->act == REFUSED)
            smtp_window_refused(window, step->a, (int64_t)step->b * 1000, now_ms);
        else if (step->act == FAILED)
            said = smtp_window_failed(window, step->a);
        else if (step->act == DIED)
            smtp_window_died(window);
        else if (step->act == HURRY)
            smtp_window_hurry(window);
    }
    if (step->act == MAY || step->act == MAY_NOT) {
        said = smtp_window_may_open(window, step->a, step->b, now_ms);
        expected = step->act == MAY;
    }
    if (said != expected || window->limit != step->limit)
        fail_msg("%s: step %zu, %s: limit %u, said %d", row->name, number + 1, acts[step->act], window->limit, said);
}

static void windows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_OF(rows); i++) {
        struct smtp_window window;
        smtp_window_init(&window, rows[i].most);
        for (size_t k = 0; k < ALL_OF(rows[i].steps) && rows[i].steps[k].act != END; k++)
            run_step(&rows[i], k, &window);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
