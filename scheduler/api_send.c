/* Messages outside the ledger, on an operator's word. */
#include "api_private.h"
#include "send_test.h"

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

void api_send_test(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world_rule *rule = world_rule(api->world, asked->rule);
    struct error err = {0};

    if (!rule) {
        error_set(&err, ERROR_REFUSED, "there is no rule \"%.100s\"", asked->rule);
        server_refuse(request, 404, err.text);
        return;
    }
    struct call *call = api_call_new(api, request);
    call->notifier = channel_settings(rule->channel)->name;
    call->letter = send_test(api->world, rule, &asked->address, on_test_answered, call, &err);
    if (!call->letter)
        server_refuse(api_call_end(call), 409, err.text);
}
