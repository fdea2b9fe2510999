#include "smtp_window.h"

enum { WHOLE_PPM = 1000000 };

static unsigned first_limit(const struct smtp_window *window)
{
    return window->most < SMTP_WINDOW_FIRST ? window->most : SMTP_WINDOW_FIRST;
}

void smtp_window_init(struct smtp_window *window, int64_t most)
{
    *window = (struct smtp_window){.most = (unsigned)most};
    window->limit = first_limit(window);
}

bool smtp_window_may_open(const struct smtp_window *window, unsigned open, unsigned connecting, int64_t now_ms)
{
    unsigned used = open + connecting;

    if (used >= window->limit || now_ms < window->asked_until_ms)
        return false;
    if (now_ms < window->next_at_ms)
        return used < window->ceiling;
    return window->ceiling == 0 || used < window->ceiling || connecting == 0;
}

int64_t smtp_window_next_at_ms(const struct smtp_window *window)
{
    return window->next_at_ms > window->asked_until_ms ? window->next_at_ms : window->asked_until_ms;
}

void smtp_window_hurry(struct smtp_window *window)
{
    window->next_at_ms = 0;
}

static void grow(struct smtp_window *window, unsigned used)
{
    if (used >= window->limit && window->limit < window->most && !window->half_open)
        window->limit++;
}

void smtp_window_opened(struct smtp_window *window, unsigned open, unsigned connecting)
{
    if (open > window->ceiling) { /* we have more than it once let us */
        window->ceiling = 0;
        window->next_at_ms = 0;
        if (window->failed_ppm == 0)
            window->wait_ms = 0;
    }
    grow(window, open + connecting);
}

void smtp_window_accepted(struct smtp_window *window, unsigned busy)
{
    window->failed_ppm = 0;
    if (window->half_open) {
        window->half_open = false;
        window->limit = first_limit(window);
    }
    grow(window, busy);
}

void smtp_window_refused(struct smtp_window *window, unsigned open, int64_t asked_ms, int64_t now_ms)
{
    if (window->limit > 1)
        window->limit--;
    window->ceiling = open;
    if (now_ms >= window->next_at_ms) { /* several that end together are one failure */
        window->wait_ms = window->wait_ms ? window->wait_ms * 2 : SMTP_WAIT_FIRST_MS;
        if (window->wait_ms > SMTP_WAIT_MAX_MS)
            window->wait_ms = SMTP_WAIT_MAX_MS;
        window->next_at_ms = now_ms + window->wait_ms;
    }
    if (asked_ms > 0 && window->asked_until_ms < now_ms + asked_ms)
        window->asked_until_ms = now_ms + asked_ms;
}

bool smtp_window_failed(struct smtp_window *window, unsigned busy)
{
    if (window->limit > 1)
        window->limit--;
    window->failed_ppm += WHOLE_PPM / (busy > 0 ? busy : 1);
    return window->failed_ppm > WHOLE_PPM;
}

void smtp_window_died(struct smtp_window *window)
{
    window->limit = 1;
    window->ceiling = 0;
    window->failed_ppm = 0;
    window->half_open = true;
}
