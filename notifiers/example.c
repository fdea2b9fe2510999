/* example.c - the smallest notifier that does something: a line per message in a file. Copy it to begin your own.
 *
 *     notifiers:
 *       - name: notes
 *         plugin: example
 *         path: notes.txt
 *
 * Build it against notifier.h alone:
 *     cc -shared -fPIC -fvisibility=hidden -Wl,-z,now -o mine.so mine.c
 * and put it where Onsale looks for plugins. Its file name, without .so, is the word after `plugin:`. */
#include "notifier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One for each configured notifier: zeroed, then filled by the option table below, then ours. */
struct example {
    const char *path; /* option */
    const char *word; /* option */

    const struct notifier_host *host; /* everything we may ask for */
    FILE *file;
    bool busy; /* a line is being written, and somebody was told to wait */
    bool writing;
};

/* What one offloaded piece of work needs. The pool's thread touches nothing else of ours. */
struct line {
    struct example *example;
    struct notifier_delivery *delivery;
    int failure; /* errno */
};

/* Files can make us wait, and the loop thread never waits: so this runs on a thread of the pool. */
static void write_line(void *ctx)
{
    struct line *line = ctx;
    struct example *example = line->example;

    errno = 0;
    if (fprintf(example->file, "%s %s %zu bytes\n", example->word, line->delivery->token, line->delivery->raw_len) <
            0 ||
        fflush(example->file) != 0)
        line->failure = errno ? errno : EIO;
}

/* Back on the loop thread: say what became of it, exactly once. */
static void on_line(void *ctx)
{
    struct line *line = ctx;
    struct example *example = line->example;
    const struct notifier_host *host = example->host;
    struct notifier_result result = {.fate = NOTIFIER_ACCEPTED, .handed_over_at_ms = host->now_ms(host)};

    if (line->failure) /* part of the line may be in the file, so we cannot say it was not taken */
        result = (struct notifier_result){.fate = NOTIFIER_IN_DOUBT,
                                          .scope = NOTIFIER_CHANNEL,
                                          .text = strerror(line->failure),
                                          .handed_over_at_ms = host->now_ms(host)};
    host->finish(host, line->delivery, &result); /* the delivery is gone now */
    free(line);
    example->writing = false;
    if (example->busy) {
        example->busy = false;
        host->ready(host); /* may call send() at once */
    }
}

/* Starts, or says BUSY and has not begun. `count` is 1 because batch_max is 1. */
static enum notifier_answer example_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    struct example *example = state;
    struct line *line;

    (void)count;
    if (example->writing || !(line = calloc(1, sizeof *line))) {
        example->busy = true;
        return NOTIFIER_BUSY;
    }
    line->example = example;
    line->delivery = batch[0];
    example->writing = true;
    example->host->offload(example->host, write_line, on_line, line);
    return NOTIFIER_STARTED;
}

/* Options are filled in. What cannot work is said here, in words for the person who wrote the configuration. */
static int example_open(void *state, const struct notifier_host *host, char *error, size_t error_size)
{
    struct example *example = state;

    example->host = host;
    example->file = fopen(example->path, "ae");
    if (!example->file) {
        snprintf(error, error_size, "path: cannot write to %s: %s", example->path, strerror(errno));
        return -1;
    }
    return 0;
}

static void example_close(void *state)
{
    struct example *example = state;
    fclose(example->file);
}

/* A file is not the internet: no unsubscribe link is demanded. Leave this out if yours reaches people. */
static bool example_local(const void *state)
{
    (void)state;
    return true;
}

/* What the configuration may say. The host checks types, fills the struct, and suggests the right word for a wrong. */
static const struct notifier_option options[] = {
    {"path", NOTIFIER_PATH, offsetof(struct example, path), .required = true},
    {"word", NOTIFIER_TEXT, offsetof(struct example, word), .fallback = "told"},
    {0},
};

/* The one thing that others see. */
NOTIFIER_EXPORT const struct notifier notifier = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier),
    .name = "example",
    .options = options,
    .state_size = sizeof(struct example),
    .batch_max = 1,
    .flags = NOTIFIER_TAKES_RAW,
    .open = example_open,
    .send = example_send,
    .close = example_close,
    .local = example_local,
};
