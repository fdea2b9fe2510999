#include "share.h"

#include <stdlib.h>

/* What one person costs a class: start-time fair queuing, so that six of eight are openings'. */
static const int64_t cost[SHARE_CLASSES] = {[SHARE_OPENING] = 1, [SHARE_OTHER] = 6, [SHARE_AGAIN] = 6};

/* The flows of one class that want more: a heap, the lowest level first, within the caller's array. */
struct queue {
    struct share_flow **at;
    size_t count;
};

static int64_t at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

/* Who has the same goes by who had less altogether: new ones come first. */
static int compare(const struct share_flow *a, const struct share_flow *b)
{
    if (a->level != b->level)
        return a->level < b->level ? -1 : 1;
    if (a->had != b->had)
        return a->had < b->had ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

/* Classes one after another, in each those who want something first, in the order of their turns. */
static int by_class(const void *a, const void *b)
{
    const struct share_flow *x = *(struct share_flow *const *)a, *y = *(struct share_flow *const *)b;

    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if ((x->wants > 0) != (y->wants > 0))
        return x->wants > 0 ? -1 : 1;
    return compare(x, y);
}

static void swap(struct queue *queue, size_t a, size_t b)
{
    struct share_flow *flow = queue->at[a];

    queue->at[a] = queue->at[b];
    queue->at[b] = flow;
}

/* The first one has moved up, or is another. */
static void sink(struct queue *queue)
{
    for (size_t at = 0, child; (child = 2 * at + 1) < queue->count; at = child) {
        if (child + 1 < queue->count && compare(queue->at[child + 1], queue->at[child]) < 0)
            child++;
        if (compare(queue->at[at], queue->at[child]) <= 0)
            return;
        swap(queue, at, child);
    }
}

static struct queue *next_class(struct share *share, struct queue queues[SHARE_CLASSES])
{
    struct queue *next = NULL;

    for (int class = 0; class < SHARE_CLASSES; class ++)
        if (queues[class].count > 0 && (!next || share->turn[class] < share->turn[next - queues]))
            next = &queues[class];
    return next;
}

/* A step for the first of the class. */
static int64_t serve(struct share *share, struct queue *queue, int64_t room)
{
    struct share_flow *flow = queue->at[0];
    int64_t step = at_most(at_most(at_least(flow->had, 1), SHARE_STEP), at_most(flow->wants - flow->gets, room));

    share->now = share->turn[flow->class];
    share->turn[flow->class] += step * cost[flow->class];
    share->level[flow->class] = flow->level;
    flow->level += step;
    flow->had += step;
    flow->gets += step;
    if (flow->gets == flow->wants)
        swap(queue, 0, --queue->count);
    sink(queue);
    return step;
}

/* A sorted range is a heap. Nobody saves up while they want nothing. */
static void line_up(struct share *share, struct share_flow **flows, size_t count, struct queue queues[SHARE_CLASSES])
{
    for (size_t i = 0; i < count; i++) {
        flows[i]->place = i;
        flows[i]->gets = 0;
        flows[i]->level = at_least(flows[i]->level, share->level[flows[i]->class]);
    }
    qsort(flows, count, sizeof *flows, by_class);
    for (size_t i = 0; i < count; i++) {
        struct queue *queue = &queues[flows[i]->class];
        if (flows[i]->wants <= 0)
            continue;
        if (queue->count++ == 0) {
            queue->at = &flows[i];
            share->turn[flows[i]->class] = at_least(share->turn[flows[i]->class], share->now);
        }
    }
}

void share_divide(struct share *share, struct share_flow **flows, size_t count, int64_t room, size_t most)
{
    struct queue queues[SHARE_CLASSES] = {0};
    struct queue *queue;
    size_t served = 0;

    line_up(share, flows, count, queues);
    while (room > 0 && (queue = next_class(share, queues))) {
        if (queue->at[0]->gets == 0 && served++ == most)
            break; /* whoever is next comes first next time */
        room -= serve(share, queue, room);
    }
}
