#include "told.h"

#include <string.h>

static int order(const void *a, const void *b)
{
    const struct announcement *x = a, *y = b;
    int by_rule = strcmp(x->rule, y->rule);

    if (by_rule)
        return by_rule;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strcmp(x->definition, y->definition);
}

static void add(struct told *told, const struct notice *notice)
{
    size_t needed = told->count + notice->course->member_count;

    if (needed > told->cap) {
        told->cap = 2 * needed;
        told->at = must_realloc(told->at, told->cap * sizeof *told->at);
    }
    for (size_t i = 0; i < notice->course->member_count; i++)
        told->at[told->count++] = (struct announcement){.rule = notice->rule,
                                                        .definition = notice->course->members[i],
                                                        .kind = notice->kind,
                                                        .at_ms = notice->at_ms};
}

void told_take(struct told *told, const struct notice *newest)
{
    told->count = 0;
    for (const struct notice *notice = newest; notice; notice = notice->next)
        if (notice->claimed)
            add(told, notice);
    if (told->count > 1)
        qsort(told->at, told->count, sizeof *told->at, order);
}

bool told_elsewhere(const struct told *told, const struct announcement *one)
{
    size_t low = 0, high = told->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(&told->at[middle], one) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < told->count && order(&told->at[low], one) == 0; low++)
        if (told->at[low].at_ms != one->at_ms)
            return true;
    return false;
}

void told_clear(struct told *told)
{
    free(told->at);
    *told = (struct told){0};
}
