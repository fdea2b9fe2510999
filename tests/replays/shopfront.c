#include "shopfront.h"

#include <string.h>

struct shopfront_request {
    struct shopfront *front;
    struct source_request *real;
    source_walk_fn *walked; /* one of the two */
    source_answer_fn *answered;
    void *ctx;
    struct shopfront_request *next;
};

static struct shopfront_request request_new(struct shopfront *front, source_walk_fn *walked, source_answer_fn *answered,
                                            void *ctx)
{
    return (struct shopfront_request){.front = front, .walked = walked, .answered = answered, .ctx = ctx};
}

static struct shopfront_request *remember(struct shopfront_request request)
{
    struct shopfront_request *fresh = must_calloc(1, sizeof *fresh);

    *fresh = request;
    fresh->next = request.front->requests;
    request.front->requests = fresh;
    return fresh;
}

static void forget(struct shopfront_request *request)
{
    struct shopfront_request **at = &request->front->requests;

    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    free(request);
}

static struct source_request *started(struct shopfront_request *request, struct source_request *real)
{
    request->real = real;
    if (!real)
        forget(request);
    return real;
}

static bool no_answer(bool silent, struct error *err)
{
    if (silent)
        error_set(err, ERROR_TRY_LATER, "the story's source gives no answer");
    return silent;
}

static int64_t date_of(const struct shopfront *front)
{
    return front->dated ? clock_mono_ms(front->clock) : MOMENT_NONE; /* a story's monotonic clock is the true time */
}

static void drop_missing(struct shopfront *front, struct source_walk *walk)
{
    for (size_t i = 0; *front->missing && i < walk->count; i++)
        if (strcmp(walk->definitions[i]->id, front->missing) == 0) {
            definition_free(walk->definitions[i]);
            walk->definitions[i--] = walk->definitions[--walk->count];
        }
    *front->missing = '\0';
}

static void on_walked(void *ctx, struct source_walk *walk)
{
    struct shopfront_request mine = *(struct shopfront_request *)ctx;

    forget(ctx);
    drop_missing(mine.front, walk);
    walk->server_date_ms = date_of(mine.front);
    mine.walked(mine.ctx, walk);
}

static void on_answered(void *ctx, struct source_answer *answer)
{
    struct shopfront_request mine = *(struct shopfront_request *)ctx;

    forget(ctx);
    answer->server_date_ms = date_of(mine.front);
    mine.answered(mine.ctx, answer);
}

static struct source_request *walk(struct source *source, int64_t since_ms, source_walk_fn *done, void *ctx,
                                   struct error *err)
{
    struct shopfront *front = (struct shopfront *)(uintptr_t)source->ops;

    if (no_answer(front->silent || front->walks_silent, err))
        return NULL;
    struct shopfront_request *request = remember(request_new(front, done, NULL, ctx));
    return started(request, front->real->walk(source, since_ms, on_walked, request, err));
}

static struct source_request *ask(struct source *source, const struct source_ask *asks, size_t count,
                                  source_answer_fn *done, void *ctx, struct error *err)
{
    struct shopfront *front = (struct shopfront *)(uintptr_t)source->ops;

    front->asked++;
    if (no_answer(front->silent, err))
        return NULL;
    struct shopfront_request *request = remember(request_new(front, NULL, done, ctx));
    return started(request, front->real->ask(source, asks, count, on_answered, request, err));
}

static void cancel(struct source *source, struct source_request *real)
{
    struct shopfront *front = (struct shopfront *)(uintptr_t)source->ops;
    struct shopfront_request *request = front->requests;

    while (request->real != real)
        request = request->next;
    forget(request);
    front->real->cancel(source, real);
}

void shopfront_init(struct shopfront *front, const struct clock *clock)
{
    *front = (struct shopfront){.clock = clock};
}

void shopfront_stand_before(struct shopfront *front, struct source *source)
{
    front->real = source->ops;
    front->ops = *source->ops;
    front->ops.walk = walk;
    front->ops.ask = ask;
    front->ops.cancel = cancel;
    source->ops = &front->ops;
}
