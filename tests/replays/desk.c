/* desk.c - the notifier of the stories: every message goes over the desk to the driver, which notes it down and answers
 * as the story says. */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>

struct counter {
    const char *address; /* option */
    const struct notifier_host *host;
    struct desk *desk;
};

static struct desk *desk_at(const struct counter *counter)
{
    return (struct desk *)(uintptr_t)strtoull(counter->address, NULL, 16); // NOLINT: the driver's own pointer
}

static int desk_open(void *state, const struct notifier_host *host, char *error, size_t error_size)
{
    struct counter *counter = state;

    counter->host = host;
    counter->desk = desk_at(counter);
    if (counter->desk)
        return 0;
    snprintf(error, error_size, "desk: expected the address that the driver gave");
    return -1;
}

static enum notifier_answer desk_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    struct counter *counter = state;

    for (size_t i = 0; i < count; i++)
        counter->desk->take(counter->desk, counter->host, batch[i]);
    return NOTIFIER_STARTED;
}

static void desk_stop(void *state, bool at_once)
{
    struct counter *counter = state;
    counter->desk->stop(counter->desk, counter->host, at_once);
}

static void desk_close(void *state)
{
    (void)state;
}

static int64_t desk_window(const void *state)
{
    const struct counter *counter = state;
    const struct desk *desk = desk_at(counter);

    return desk->window(desk);
}

static bool desk_local(const void *state)
{
    (void)state;
    return true;
}

static const struct notifier_option options[] = {
    {"desk", NOTIFIER_TEXT, offsetof(struct counter, address), .required = true},
    {0},
};

NOTIFIER_EXPORT const struct notifier notifier = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier),
    .name = "desk",
    .options = options,
    .state_size = sizeof(struct counter),
    .batch_max = 16,
    .flags = NOTIFIER_TAKES_RAW,
    .open = desk_open,
    .send = desk_send,
    .close = desk_close,
    .stop = desk_stop,
    .window = desk_window,
    .local = desk_local,
};
