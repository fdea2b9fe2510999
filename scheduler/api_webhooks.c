/* Other programs that are told: how their endpoints stand, a ping to see whether one works, and going on after a
 * repair. */
#include "api_private.h"
#include "webhooks.h"

void api_webhooks(struct api *api, struct server_request *request, const struct api_request *asked)
{
    (void)asked;
    api_report(api, request, &(struct store_report){.kind = REPORT_WEBHOOKS});
}

static void on_pinged(void *ctx, const struct webhook_pinged *result)
{
    struct call *call = ctx;

    call->ping = NULL;
    server_answer(api_call_end(call), 200,
                  json_pack("{s:s, s:o, s:I, s:s?, s:s?}", "id", result->id, "status",
                            result->failure ? json_null() : json_integer(result->status), "took_ms",
                            (json_int_t)result->took_ms, "said", result->said, "error",
                            result->failure ? result->failure->text : NULL));
}

void api_webhook_test(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct call *call = api_call_new(api, request);
    struct error err = {0};

    call->ping = webhook_ping(api->world->webhooks, asked->name, on_pinged, call, &err);
    if (!call->ping)
        server_refuse(api_call_end(call), err.kind == ERROR_REFUSED ? 404 : 409, err.text);
}

static void on_enabled(void *ctx, int64_t count, const struct error *failure)
{
    if (failure || count > 0)
        api_on_stored(ctx, failure);
    else
        server_refuse(api_call_end(ctx), 404, "there is no webhook of that name");
}

void api_webhook_enable(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct call *call;
    struct error err = {0};

    if (webhooks_check_name(api->world->webhooks, asked->name, &err) < 0) {
        server_refuse(request, 404, err.text);
        return;
    }
    call = api_call_new(api, request);
    call->job = store_webhook_enable(api->world->store, asked->name, on_enabled, call);
}
