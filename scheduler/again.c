#include "again.h"

#include <string.h>

void again_clear(struct again *again)
{
    free(again->heap);
    *again = (struct again){0};
}

static void swap(struct store_again *a, struct store_again *b)
{
    struct store_again c = *a;

    *a = *b;
    *b = c;
}

void again_take_page(struct again *again, const struct store_again *list, size_t count, bool more,
                     struct store_again horizon)
{
    again_clear(again);
    for (size_t i = 0; i < count; i++)
        again_put(again, list[i]);
    again->more = more;
    again->horizon = horizon;
}

/* As the ledger lists them. */
static int by_turn(const void *left, const void *right)
{
    const struct store_again *a = left, *b = right;

    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

/* A sorted list is a heap. */
static void forget_the_last(struct again *again)
{
    qsort(again->heap, again->count, sizeof *again->heap, by_turn);
    again->count = STORE_AGAIN_PAGE;
    again->more = true;
    again->horizon = again->heap[again->count];
}

void again_put(struct again *again, struct store_again entry)
{
    if (again->more && by_turn(&entry, &again->horizon) >= 0)
        return;
    if (again->count == AGAIN_MOST) {
        forget_the_last(again);
        again_put(again, entry);
        return;
    }
    if (again->count == again->cap) {
        again->cap = again->cap ? again->cap * 2 : 16;
        again->heap = must_realloc(again->heap, again->cap * sizeof *again->heap);
    }
    size_t at = again->count++;
    again->heap[at] = entry;
    for (; at > 0 && again->heap[(at - 1) / 2].at_ms > again->heap[at].at_ms; at = (at - 1) / 2)
        swap(&again->heap[at], &again->heap[(at - 1) / 2]);
}

bool again_take(struct again *again, int64_t now_ms, struct store_again *out)
{
    if (again->count == 0 || again->heap[0].at_ms > now_ms)
        return false;
    *out = again->heap[0];
    again->heap[0] = again->heap[--again->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < again->count; child++)
            if (again->heap[child].at_ms < again->heap[least].at_ms)
                least = child;
        if (least == at)
            return true;
        swap(&again->heap[at], &again->heap[least]);
        at = least;
    }
}

/* Behind who is not due nobody is. */
static size_t due_from(const struct again *again, size_t at, int64_t now_ms, size_t most)
{
    if (most == 0 || at >= again->count || again->heap[at].at_ms > now_ms)
        return 0;
    size_t due = 1 + due_from(again, 2 * at + 1, now_ms, most - 1);
    return due + due_from(again, 2 * at + 2, now_ms, most - due);
}

size_t again_due(const struct again *again, int64_t now_ms, size_t most)
{
    return due_from(again, 0, now_ms, most);
}

bool again_must_read(const struct again *again, int64_t now_ms)
{
    return again->count == 0 && again->more && again->horizon.at_ms <= now_ms;
}

int64_t again_next_at_ms(const struct again *again)
{
    return again->count ? again->heap[0].at_ms : again->more ? again->horizon.at_ms : MOMENT_NONE;
}

int64_t again_delay_ms(const struct retry *retry, int attempt, int64_t retry_after_ms, uint64_t random)
{
    int64_t span = retry->first_ms;

    for (int i = 1; i < attempt && span < retry->cap_ms; i++)
        span *= 2;
    if (span > retry->cap_ms)
        span = retry->cap_ms;
    int64_t delay = span > 0 ? (int64_t)(random % (uint64_t)(span + 1)) : 0;
    return delay > retry_after_ms ? delay : retry_after_ms;
}
