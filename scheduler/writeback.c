#include "writeback.h"

#include "again.h"
#include "crypt_token.h"

#include <string.h>

enum {
    BATCH = 20,       /* rows in hand */
    SPACING_MS = 200, /* between two people of one tool: reading goes on beside it */
    FIRST_MS = SECOND_MS,
    LAST_MS = HOUR_MS, /* between tries of what may help by itself, ... */
    FIRST_REPAIR_MS = 15 * MINUTE_MS,
    LAST_REPAIR_MS = 6 * HOUR_MS, /* ... and of what a person has to repair */
};
static const int64_t give_up_after_ms = (int64_t)30 * DAY_MS;

struct row {
    int64_t id, at_ms;
    const char *token; /* in the tool's arena */
    int attempts;
};

/* One audience that is told. At most one of `job` and `leave` is under way. */
struct tool {
    struct world *world;
    struct audience *audience;
    struct store_job *job;
    struct audience_leave *leave;
    struct alarm wake;
    int64_t not_before_ms;
    struct arena arena; /* of the rows */
    struct row rows[BATCH];
    size_t count, next;    /* rows in hand; rows[next - 1] is being told */
    bool asked_again;      /* something new since we asked what is due */
    int failures;          /* in a row */
    struct error reason;   /* of the last one, as it was logged */
    int64_t told, unknown; /* since it was last logged */
};

struct writeback {
    struct world *world;
    struct tool *tools;
    size_t count;
};

static void go_on(struct tool *tool);
static void request_due(struct tool *tool);
static void on_due(void *ctx, const struct store_writebacks *result);
static void request_leave(struct tool *tool);
static void on_left(void *ctx, const struct audience_left *result);
static void request_done(struct tool *tool);
static void request_again(struct tool *tool, const struct error *failure, int64_t retry_after_ms);
static void on_stored(void *ctx, const struct error *failure);

static const char *name_of(const struct tool *tool)
{
    return tool->audience->settings->name;
}

static int64_t now_of(const struct tool *tool)
{
    return clock_now_ms(tool->world->clock);
}

/* --- What is to be told ---------------------------------------------------------------------------------------------
 */

static void ring(void *ctx)
{
    go_on(ctx);
}

static void wait_until(struct tool *tool, int64_t at_ms)
{
    alarm_set(tool->world->alarms, &tool->wake, at_ms, ring, tool);
}

/* Starts whatever may start now. */
static void go_on(struct tool *tool)
{
    if (tool->job || tool->leave || tool->world->copy)
        return;
    if (now_of(tool) < tool->not_before_ms)
        wait_until(tool, tool->not_before_ms);
    else if (tool->next < tool->count)
        request_leave(tool);
    else
        request_due(tool);
}

static void drop_rows(struct tool *tool)
{
    tool->count = tool->next = 0;
    arena_clear(&tool->arena);
}

static void request_due(struct tool *tool)
{
    drop_rows(tool);
    tool->asked_again = false;
    tool->job = store_writebacks_due(tool->world->store, name_of(tool), now_of(tool), BATCH, on_due, tool);
}

/* The store could not: it is asked again, a little later. */
static void pause_for_store(struct tool *tool, const struct error *failure)
{
    log_line(tool->world->log, LOG_ERROR, "event=writeback_failed audience=%s error=%s",
             LOG_QUOTED(text_of(name_of(tool))), LOG_QUOTED(text_of(failure->text)));
    drop_rows(tool);
    tool->not_before_ms = now_of(tool) + MINUTE_MS;
    go_on(tool);
}

static void say_told(struct tool *tool)
{
    if (tool->told || tool->unknown)
        log_line(tool->world->log, LOG_INFO, "event=written_back audience=%s people=%lld unknown_there=%lld",
                 LOG_QUOTED(text_of(name_of(tool))), (long long)tool->told + tool->unknown, (long long)tool->unknown);
    tool->told = tool->unknown = 0;
}

static void on_due(void *ctx, const struct store_writebacks *result)
{
    struct tool *tool = ctx;

    tool->job = NULL;
    if (result->failure) {
        pause_for_store(tool, result->failure);
        return;
    }
    for (size_t i = 0; i < result->count; i++)
        tool->rows[i] = (struct row){.id = result->rows[i].id,
                                     .at_ms = result->rows[i].at_ms,
                                     .token = arena_copy(&tool->arena, text_of(result->rows[i].token)),
                                     .attempts = result->rows[i].attempts};
    tool->count = result->count;
    if (tool->count || tool->asked_again) {
        go_on(tool);
        return;
    }
    say_told(tool);
    if (result->next_at_ms != MOMENT_NONE)
        wait_until(tool, result->next_at_ms);
}

/* --- Telling --------------------------------------------------------------------------------------------------------
 */

static void request_leave(struct tool *tool)
{
    const struct row *row = &tool->rows[tool->next++];
    struct unsubscribe_ticket ticket;
    struct arena arena = {0};

    tool->not_before_ms = now_of(tool) + SPACING_MS;
    if (crypt_unseal(tool->world->tokens, text_of(row->token), &arena, &ticket) == 0) {
        struct audience_person who = {.address = ticket.address, .source_id = ticket.source_id};
        tool->leave = tool->audience->ops->unsubscribe(tool->audience, &who, on_left, tool);
    } else {
        struct error err = {0};
        error_set(&err, ERROR_CONFIG, "its key is not in onsale.keys any more: restore that file");
        request_again(tool, &err, -1);
    }
    arena_clear(&arena);
}

/* `failures`: how often it has failed by now, from 1. */
static int64_t delay_ms(const struct error *failure, int failures, int64_t retry_after_ms)
{
    bool repair = failure->kind == ERROR_CONFIG;
    struct retry retry = {.first_ms = repair ? FIRST_REPAIR_MS : FIRST_MS, .cap_ms = repair ? LAST_REPAIR_MS : LAST_MS};
    int64_t least_ms = retry_after_ms > LAST_REPAIR_MS ? LAST_REPAIR_MS : retry_after_ms;

    return again_delay_ms(&retry, failures, least_ms > retry.first_ms ? least_ms : retry.first_ms, crypt_random_u64());
}

static void on_left(void *ctx, const struct audience_left *result)
{
    struct tool *tool = ctx;

    tool->leave = NULL;
    if (!result->failure) {
        tool->told += !result->unknown;
        tool->unknown += result->unknown;
        tool->failures = 0;
        tool->reason = (struct error){0};
        request_done(tool);
        return;
    }
    int64_t wait_ms = delay_ms(result->failure, ++tool->failures, result->retry_after_ms);
    request_again(tool, result->failure, result->retry_after_ms);
    tool->not_before_ms = now_of(tool) + wait_ms; /* the others would hear the same, ... */
    tool->count = tool->next;                     /* ... and much may have happened by then */
}

static void request_done(struct tool *tool)
{
    tool->job = store_writeback_done(tool->world->store, tool->rows[tool->next - 1].id, on_stored, tool);
}

/* One line for the same trouble, however long it lasts. */
static void say_failure(struct tool *tool, const struct error *failure, int64_t waits_ms)
{
    if (tool->reason.kind == failure->kind && strcmp(tool->reason.text, failure->text) == 0)
        return;
    tool->reason = *failure;
    log_line(
        tool->world->log, LOG_WARNING,
        "event=writeback_waits audience=%s what=\"the tool has not heard of an unsubscribe; it counts here all the "
        "same\" again_in_ms=%lld error=%s",
        LOG_QUOTED(text_of(name_of(tool))), (long long)waits_ms, LOG_QUOTED(text_of(failure->text)));
}

static void request_again(struct tool *tool, const struct error *failure, int64_t retry_after_ms)
{
    const struct row *row = &tool->rows[tool->next - 1];
    int64_t now_ms = now_of(tool), wait_ms = delay_ms(failure, row->attempts + 1, retry_after_ms);

    if (now_ms - row->at_ms > give_up_after_ms) {
        log_line(
            tool->world->log, LOG_ERROR,
            "event=writeback_given_up audience=%s what=\"the tool never heard of an unsubscribe of 30 days ago; it "
            "counts here all the same\" attempts=%d error=%s",
            LOG_QUOTED(text_of(name_of(tool))), row->attempts + 1, LOG_QUOTED(text_of(failure->text)));
        request_done(tool);
        return;
    }
    say_failure(tool, failure, wait_ms);
    tool->job =
        store_writeback_again(tool->world->store, row->id, now_ms + wait_ms, row->attempts + 1, on_stored, tool);
}

static void on_stored(void *ctx, const struct error *failure)
{
    struct tool *tool = ctx;

    tool->job = NULL;
    if (failure)
        pause_for_store(tool, failure);
    else
        go_on(tool);
}

/* --- The whole ------------------------------------------------------------------------------------------------------
 */

struct writeback *writeback_new(struct world *world)
{
    struct writeback *writeback = must_calloc(1, sizeof *writeback);

    writeback->world = world;
    writeback->tools = must_calloc(world->audience_count + 1, sizeof *writeback->tools);
    for (size_t i = 0; i < world->audience_count; i++)
        if (world->audiences[i]->ops->unsubscribe)
            writeback->tools[writeback->count++] = (struct tool){.world = world, .audience = world->audiences[i]};
    store_writebacks_hurry(world->store, clock_now_ms(world->clock));
    writeback_look(writeback);
    return writeback;
}

void writeback_free(struct writeback *writeback)
{
    if (!writeback)
        return;
    for (size_t i = 0; i < writeback->count; i++) {
        struct tool *tool = &writeback->tools[i];
        store_cancel(&tool->job);
        tool->audience->ops->unsubscribe_cancel(&tool->leave);
        alarm_off(&tool->wake);
        arena_clear(&tool->arena);
    }
    free(writeback->tools);
    free(writeback);
}

void writeback_look(struct writeback *writeback)
{
    for (size_t i = 0; writeback && i < writeback->count; i++) {
        writeback->tools[i].asked_again = true;
        go_on(&writeback->tools[i]);
    }
}
