/* smtp_window.h - how many connections one host is given: Postfix's algorithm (SCHEDULER_README) for a relay. Pure.
 *
 * `limit` begins small, grows by one with each success while all that it allows are in use, and shrinks by one with
 * each failure. Where a set-up fails beside connections that work, the host has a limit of its own: not more than these
 * are opened, but for one try after 1, 2, 4 ... 60 s. When more fails in a row than was in use the host is dead; what
 * follows is one connection with one message, and only its success brings the rest back. Times are monotonic ms. */
#ifndef ONSALE_SMTP_WINDOW_H
#define ONSALE_SMTP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SMTP_WINDOW_FIRST = 20, /* what it begins with, where so many are configured */
    SMTP_WAIT_FIRST_MS = 1000,
    SMTP_WAIT_MAX_MS = 60000,
};

struct smtp_window {
    unsigned most;          /* as configured */
    unsigned limit;         /* that may be open, and that may be busy: 1..most */
    unsigned ceiling;       /* that were open when the host let us have no more; 0: it lets us */
    int64_t wait_ms;        /* the last pause, */
    int64_t next_at_ms;     /* ... and its end: no more than `ceiling` before */
    int64_t asked_until_ms; /* the host asked us not to come back before */
    unsigned failed_ppm;    /* failures since the last success, each as a part of what was in use */
    bool half_open;         /* it was dead, and nothing has been accepted since */
};

void smtp_window_init(struct smtp_window *window, int64_t most);
/* May one more be opened beside `open` and `connecting` ones? */
bool smtp_window_may_open(const struct smtp_window *window, unsigned open, unsigned connecting, int64_t now_ms);
/* When to ask again after a refusal; now or earlier when there was none. */
int64_t smtp_window_next_at_ms(const struct smtp_window *window);
/* Somebody wants a try now. What the host asked for holds all the same. */
void smtp_window_hurry(struct smtp_window *window);
/* A connection is ready for mail; `open` counts it. */
void smtp_window_opened(struct smtp_window *window, unsigned open, unsigned connecting);
/* A message was accepted while `busy` connections had work. */
void smtp_window_accepted(struct smtp_window *window, unsigned busy);
/* A connection could not be set up, or ended before it was of any use; `open` are left. `asked_ms`: the pause that the
 * host asked for, 0 none. */
void smtp_window_refused(struct smtp_window *window, unsigned open, int64_t asked_ms, int64_t now_ms);
/* The host throttled a message, or dropped a connection with work on it. True: it is dead. */
bool smtp_window_failed(struct smtp_window *window, unsigned busy);
/* It is dead, whoever found out. */
void smtp_window_died(struct smtp_window *window);

#endif
