/* Messages outside the ledger, on an operator's word. */
#include "api_private.h"
#include "crypt_token.h"
#include "known.h"
#include "preview.h"
#include "send_test.h"

#include <string.h>

static void on_test_answered(void *ctx, const struct channel_result *result)
{
    struct call *call = ctx;
    const char *notifier = call->notifier;
    struct server_request *request = api_call_end(call);
    auto_buf struct buf at = {0};

    if (!result) {
        server_refuse(request, 503, "the daemon was reloaded before the notifier answered");
        return;
    }
    buf_init(&at, 64);
    if (result->handed_over_at_ms != MOMENT_NONE)
        buf_add_moment(&at, result->handed_over_at_ms);
    server_answer(request, 200,
                  json_pack("{s:s, s:s, s:i, s:s?, s:s?}", "notifier", notifier, "fate", fate_name(result->fate),
                            "code", result->code, "text",
                            result->text && text_is_utf8(text_of(result->text)) ? result->text : NULL, "handed_over_at",
                            at.len ? at.ptr : NULL));
}

/* NULL, and the request is answered, when there is none of that name. */
static struct world_rule *rule_of(struct api *api, struct server_request *request, const char *name)
{
    struct world_rule *rule = world_rule(api->world, name);
    struct error err = {0};

    if (rule)
        return rule;
    known_no_rule(api->world, name, &err);
    server_refuse(request, 404, err.text);
    return NULL;
}

void api_send_test(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world_rule *rule = rule_of(api, request, asked->rule);
    struct error err = {0};

    if (!rule)
        return;
    struct call *call = api_call_new(api, request);
    call->notifier = channel_settings(rule->channel)->name;
    call->letter = send_test(api->world, rule, &asked->address, on_test_answered, call, &err);
    if (!call->letter)
        server_refuse(api_call_end(call), 409, err.text);
}

/* --- Preview ------------------------------------------------------------------------------------------------------ */

static void answer_message(struct server_request *request, const struct message *message, const struct buf *note,
                           bool controls)
{
    json_t *raw = json_stringn(message->raw.ptr, message->raw.len), *notes = json_array();

    if (note->len)
        json_array_append_new(notes, json_string(note->ptr));
    if (!controls)
        json_array_append_new(notes, json_string("its unsubscribe link and Message-ID are samples that open nothing: "
                                                 "real ones need the unix socket or a token of scope control"));
    if (raw)
        server_answer(request, 200, json_pack("{s:o, s:o}", "message", raw, "notes", notes));
    else
        server_refuse(request, 409, "the message is not UTF-8");
    if (!raw)
        json_decref(notes);
}

/* Who may only read gets nothing that acts: with the real ones they could unsubscribe anybody, and tell of bounces that
 * never were. */
static struct crypt_tokens *sample_tokens(struct error *err)
{
    struct crypt_keys keys = {.unsubscribe = {{.id = 1}}, .unsubscribe_count = 1};

    if (crypt_random(keys.message_id, sizeof keys.message_id, err) < 0 ||
        crypt_random(keys.unsubscribe[0].bytes, sizeof keys.unsubscribe[0].bytes, err) < 0)
        return NULL;
    return crypt_tokens_new(&keys, err);
}

/* `person`: what the store knows of the subscriber in that notice; NULL where it was not asked. */
static void preview(struct api *api, struct server_request *request, const struct api_request *asked,
                    const json_t *person)
{
    struct world *world = api->world;
    const struct world_rule *rule = rule_of(api, request, asked->rule);
    const struct notice *notice = asked->notice ? notices_find(&world->notices, asked->notice) : NULL;
    struct error err = {0};
    struct message message;
    auto_buf struct buf note = {0};

    if (!rule)
        return;
    const struct rule *settings = rule->plan.rule;
    if (asked->notice && (!notice || strcmp(notice->rule, settings->name) != 0)) {
        error_set(&err, ERROR_REFUSED, "there is no notice %lld of rule %s", (long long)asked->notice, settings->name);
        server_refuse(request, 404, err.text);
        return;
    }
    const struct world_site *site = notice ? world_site(world, notice->site) : draft_site(world, settings);
    if (!site || !site->settings) {
        server_refuse(request, 409, "the notice's site has left the configuration");
        return;
    }
    struct crypt_tokens *samples = asked->controls ? NULL : sample_tokens(&err);
    struct preview_spec spec = {.draft = draft_of(world, rule, site),
                                .subscriber = *asked->shown ? &asked->address : NULL,
                                .person = person,
                                .language = asked->language};
    spec.draft.notice = notice;
    if (!asked->controls)
        spec.draft.tokens = samples;
    message_init(&message);
    buf_init(&note, 4096);
    if (!spec.draft.tokens || preview_make(&spec, &message, &note, &err) < 0)
        server_refuse(request, 409, err.text);
    else
        answer_message(request, &message, &note, asked->controls);
    message_clear(&message);
    crypt_tokens_free(samples);
}

static void on_person(void *ctx, json_t *person, const struct error *failure)
{
    struct call *call = ctx;
    struct api *api = call->api;
    struct api_request asked = call->asked;
    json_t *body = json_incref(call->body);
    struct server_request *request = api_call_end(call);

    if (failure)
        api_answer_done(request, -1, failure);
    else
        preview(api, request, &asked, person);
    json_decref(body);
}

void api_preview(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct store_report what = {.kind = REPORT_PERSON, .notice = asked->notice};

    if (!asked->notice || !*asked->shown) {
        preview(api, request, asked, NULL);
        return;
    }
    struct call *call = api_call_new(api, request);
    call->asked = *asked;
    call->body = json_incref(asked->body);
    crypt_person_key(api->world->keys, asked->address.key, what.key);
    call->job = store_report(api->world->store, &what, on_person, call);
}
