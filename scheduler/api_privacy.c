/* What one person may ask for: everything that is held about them, and to be forgotten. */
#include "api_private.h"
#include "events.h"
#include "launch.h"

#include <string.h>

void api_export(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct store_report what = {.kind = REPORT_EXPORT, .address = asked->shown};

    crypt_person_key(api->world->keys, asked->address.key, what.key);
    api_report(api, request, &what);
}

/* --- Erase ---------------------------------------------------------------------------------------------------------
 */

static bool named_before(const struct world *world, size_t rule, size_t audience)
{
    const struct audience *mine = world->rules[rule].audiences[audience];

    for (size_t i = 0; i <= rule; i++)
        for (size_t k = 0; k < (i == rule ? audience : world->rules[i].audience_count); k++)
            if (world->rules[i].audiences[k] == mine)
                return true;
    return false;
}

/* Our own eyes stand in the configuration. */
static void add_seeds(json_t *list, const struct world *world, const struct address *erased)
{
    for (size_t i = 0; i < world->rule_count; i++) {
        const struct rule *rule = world->rules[i].plan.rule;
        for (size_t k = 0; k < rule->seed.count; k++) {
            struct address seed;
            if (address_parse(text_of(rule->seed.at[k]), &seed, NULL) == 0 && strcmp(seed.key, erased->key) == 0)
                json_array_append_new(
                    list, json_sprintf("rule %s: the configuration names the address under seed", rule->name));
        }
    }
}

static void add_out_of_reach(json_t *list, const struct world *world, const struct address *erased)
{
    static const char *const always[] = {"messages already handed over", "backups made before now",
                                         "the mail server's logs"};

    json_array_append_new(list, json_string(always[0]));
    for (size_t i = 0; i < world->rule_count; i++)
        for (size_t k = 0; k < world->rules[i].audience_count; k++) {
            const char *name = world->rules[i].audiences[k]->settings->name;
            if (!named_before(world, i, k))
                json_array_append_new(list, json_sprintf("audience %s: where the address is in its list, it is still "
                                                         "there",
                                                         name));
        }
    add_seeds(list, world, erased);
    for (size_t i = 1; i < ARRAY_LEN(always); i++)
        json_array_append_new(list, json_string(always[i]));
}

static void on_erased(void *ctx, const struct store_erased *result)
{
    struct call *call = ctx;
    struct world *world = call->api->world;
    const struct address erased = call->asked.address;
    struct server_request *request = api_call_end(call);
    json_t *out_of_reach = json_array();

    if (result->failure) {
        json_decref(out_of_reach);
        api_answer_done(request, -1, result->failure);
        return;
    }
    log_line(world->log, LOG_NOTICE, "event=erased notices=%lld withheld=%lld in_flight=%lld",
             (long long)result->notices, (long long)result->withheld, (long long)result->in_flight);
    add_out_of_reach(out_of_reach, world, &erased);
    json_t *answer = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "known", result->known, "notices",
                               (json_int_t)result->notices, "withheld", (json_int_t)result->withheld, "in_flight",
                               (json_int_t)result->in_flight, "people_rows", (json_int_t)result->people_rows, "words",
                               (json_int_t)result->words, "writebacks", (json_int_t)result->writebacks, "cannot_reach",
                               out_of_reach);
    events_count(world->events, EVENT_SUPPRESSION, "erased", 1);
    if (world->launches)
        launches_progressed(world->launches, result->progress, result->progress_count);
    server_answer(request, 200, answer);
}

void api_erase(struct api *api, struct server_request *request, const struct api_request *asked)
{
    unsigned char key[PERSON_KEY_SIZE];
    struct call *call = api_call_new(api, request);

    call->asked.address = asked->address;
    crypt_person_key(api->world->keys, asked->address.key, key);
    call->job = store_erase(api->world->store, key, clock_now_ms(api->world->clock), on_erased, call);
}
