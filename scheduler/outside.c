#include "outside.h"

struct letter {
    struct letter *next;
    uint32_t seq;
    outside_done_fn *done; /* NULL: forgotten */
    void *ctx;
};

struct outside {
    struct letter *letters;
    uint32_t last_seq;
};

struct outside *outside_new(void)
{
    return must_calloc(1, sizeof(struct outside));
}

bool outside_quiet(const struct outside *outside)
{
    return !outside->letters;
}

static void answer(struct letter *letter, const struct channel_result *result)
{
    if (letter->done)
        letter->done(letter->ctx, result);
    free(letter);
}

void outside_free(struct outside *outside)
{
    if (!outside)
        return;
    for (struct letter *letter = outside->letters, *next; letter; letter = next) {
        next = letter->next;
        answer(letter, NULL);
    }
    free(outside);
}

struct letter *outside_send(struct outside *outside, struct channel *channel, struct channel_delivery *delivery,
                            outside_done_fn *done, void *ctx)
{
    struct letter *letter = must_calloc(1, sizeof *letter);

    *letter = (struct letter){.next = outside->letters, .seq = ++outside->last_seq, .done = done, .ctx = ctx};
    outside->letters = letter;
    delivery->notice = 0;
    delivery->seq = letter->seq;
    delivery->attempt = 1;
    channel_send(channel, delivery);
    buf_clear(&delivery->raw);
    return letter;
}

void outside_forget(struct letter **letter)
{
    if (*letter)
        (*letter)->done = NULL;
    *letter = NULL;
}

void outside_finish(struct outside *outside, const struct channel_result *result)
{
    for (struct letter **at = &outside->letters; *at; at = &(*at)->next)
        if ((*at)->seq == result->seq) {
            struct letter *letter = *at;
            *at = letter->next;
            answer(letter, result);
            return;
        }
}
