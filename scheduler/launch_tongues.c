/* launch_tongues.c - what people read, known before T. The first message in a language and zone costs some milliseconds
 * (ICU looks for patterns, lines are encoded); the ledger says which there are, and they are made ready one each turn
 * of the loop; then the message of whoever will be the first. Whom that misses is none the worse for it. */
#include "launch_private.h"

enum { TONGUES_MAX = 64 };

static void request_tongues(struct launch *launch);
static void on_tongues(void *ctx, json_t *answer, const struct error *failure);
static void on_next_tongue(void *ctx);
static void request_first(struct launch *launch);
static void on_first(void *ctx, json_t *answer, const struct error *failure);

void launch_hush(struct launch *launch)
{
    store_cancel(&launch->asking);
    alarm_off(&launch->next_tongue);
    json_decref(launch->tongues);
    launch->tongues = NULL;
}

static void request_tongues(struct launch *launch)
{
    launch->asking =
        store_report(launch->world->store,
                     &(struct store_report){.kind = REPORT_TONGUES, .notice = launch->notice->id, .limit = TONGUES_MAX},
                     on_tongues, launch);
}

static void on_tongues(void *ctx, json_t *answer, const struct error *failure)
{
    struct launch *launch = ctx;

    launch->asking = NULL;
    if (failure) /* who opens the ledger for the release hears of it, and says it */
        return;
    launch->tongues = json_incref(answer);
    launch->tongue = 0;
    on_next_tongue(launch);
}

static void on_next_tongue(void *ctx)
{
    struct launch *launch = ctx;
    const json_t *pair = json_array_get(launch->tongues, launch->tongue++);

    if (!pair || !launch->ahead) {
        launch_hush(launch);
        if (launch->ahead)
            request_first(launch);
        return;
    }
    message_prepare(launch->ahead, text_of(json_string_value(json_array_get(pair, 0))),
                    text_of(json_string_value(json_array_get(pair, 1))));
    alarm_set(launch->world->alarms, &launch->next_tongue, 0, on_next_tongue, launch);
}

/* With 300 notices at one second their first messages are what the last one waits for. */
static void request_first(struct launch *launch)
{
    launch->asking =
        store_report(launch->world->store, &(struct store_report){.kind = REPORT_NEXT, .notice = launch->notice->id},
                     on_first, launch);
}

static void on_first(void *ctx, json_t *answer, const struct error *failure)
{
    struct launch *launch = ctx;

    launch->asking = NULL;
    if (failure || !json_is_object(answer) || !launch->ahead)
        return;
    struct message_person person = message_person_of(answer);
    person.seed = text_is(person.source, "seed");
    message_make_ahead(launch->ahead, &person);
}

void launch_speak(struct launch *launch)
{
    launch_hush(launch);
    request_tongues(launch);
}
