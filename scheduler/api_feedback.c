/* What came back after it was accepted. */
#include "api_private.h"
#include "bounce.h"
#include "crypt_token.h"
#include "launch.h"

#include <string.h>

static void on_feedback(void *ctx, const struct store_fed_back *results, size_t count, const struct error *failure)
{
    struct call *call = ctx;
    struct world *world = call->api->world;
    struct server_request *request = api_call_end(call);

    if (failure) {
        server_refuse(request, 500, failure->text);
        return;
    }
    if (world->launches)
        launch_came_back(world->launches, results);
    server_answer(request, 200,
                  json_pack("{s:b, s:o, s:b, s:b}", "known", results->known, "notice",
                            results->notice ? json_integer(results->notice) : json_null(), "stored", results->stored,
                            "suppressed", results->suppressed));
}

/* The first that is one of ours and of a notice: tests and the operators' mail are of none. */
static bool open_tokens(const struct api *api, const json_t *tokens, struct store_feedback *out)
{
    size_t i;
    json_t *token;

    json_array_foreach(tokens, i,
                       token) if (crypt_message_untoken(api->world->tokens, text_of(json_string_value(token)),
                                                        &out->notice, &out->seq) == 0 &&
                                  out->notice > 0) return true;
    return false;
}

void api_bounces(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct store_feedback what = {
        .kind = asked->feedback, .status = asked->status, .at_ms = clock_now_ms(api->world->clock)};
    const json_t *tokens = json_object_get(asked->body, "tokens");
    char text[BOUNCE_TEXT_MAX + 1];

    if (tokens && !open_tokens(api, tokens, &what)) {
        server_answer(request, 200,
                      json_pack("{s:b, s:n, s:b, s:b}", "known", 0, "notice", "stored", 0, "suppressed", 0));
        return;
    }
    if (asked->address.key[0])
        crypt_person_key(api->world->keys, asked->address.key, what.key);
    else
        memcpy(what.key, asked->key, sizeof what.key);
    bounce_scrub(text_of(asked->text), NULL, 0, text);
    what.text = text;
    struct call *call = api_call_new(api, request);
    call->job = store_feedback(api->world->store, &what, 1, on_feedback, call);
}
