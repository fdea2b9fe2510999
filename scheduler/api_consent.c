/* Our own word on who is written to. */
#include "api_private.h"

#include <string.h>

static bool audience_known(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->rule_count; i++)
        for (size_t k = 0; k < world->rules[i].audience_count; k++)
            if (strcmp(world->rules[i].audiences[k]->settings->name, name) == 0)
                return true;
    return false;
}

static void on_suppressed(void *ctx, int64_t count, const struct error *failure)
{
    api_on_stored(ctx, failure);
}

/* An audience that left the configuration may still be lifted. */
static void suppress(struct api *api, struct server_request *request, const struct api_request *asked, bool lift)
{
    struct store_suppression what = {.scope = asked->audience,
                                     .reason = *asked->reason ? asked->reason : "operator",
                                     .at_ms = clock_now_ms(api->world->clock),
                                     .lift = lift,
                                     .overwrite = true};

    if (!lift && *what.scope && !audience_known(api->world, what.scope)) {
        struct error err = {0};
        error_set(&err, ERROR_REFUSED, "no rule reads an audience \"%.100s\"", what.scope);
        server_refuse(request, 400, err.text);
        return;
    }
    crypt_person_key(api->world->keys, asked->address.key, what.key);
    struct call *call = api_call_new(api, request);
    call->job = store_suppress(api->world->store, &what, 1, on_suppressed, call);
}

void api_suppress(struct api *api, struct server_request *request, const struct api_request *asked)
{
    suppress(api, request, asked, false);
}

void api_unsuppress(struct api *api, struct server_request *request, const struct api_request *asked)
{
    suppress(api, request, asked, true);
}
