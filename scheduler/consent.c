#include "consent.h"

#include "address.h"
#include "writeback.h"

#include <string.h>

/* Write-backs being made, in an arena. */
struct tools {
    struct arena *arena;
    struct store_writeback *at;
    size_t count;
};

/* What the tool of this audience has to hear; only the audience a person came from knows their id. */
static int add_tool(struct tools *tools, struct world *world, const struct unsubscribe_ticket *ticket,
                    struct text audience, struct error *err)
{
    struct unsubscribe_ticket mine = *ticket;
    auto_buf struct buf token;

    mine.audience = audience;
    if (!text_equal(audience, ticket->audience))
        mine.source_id = TEXT("");
    buf_init(&token, UNSUBSCRIBE_TOKEN_MAX + 1);
    if (crypt_seal(world->tokens, &mine, &token) < 0)
        return error_set(err, ERROR_REFUSED, "audience \"%.*s\": the name is too long for a ticket",
                         TEXT_ARGS(text_slice(audience, 0, 60)));
    tools->at[tools->count++] = (struct store_writeback){.audience = arena_copy(tools->arena, audience),
                                                         .token = arena_copy(tools->arena, buf_text(&token))};
    return 0;
}

/* The tools to tell. One that left the configuration is told when it is back; our own eyes ("seed", "test") are in
 * none. */
static int find_tools(struct tools *tools, struct world *world, const struct unsubscribe_ticket *ticket, bool all,
                      struct error *err)
{
    bool configured = false;

    tools->at = arena_alloc(tools->arena, (world->audience_count + 1) * sizeof *tools->at);
    for (size_t i = 0; i < world->audience_count; i++) {
        const struct audience *audience = world->audiences[i];
        bool its_own = text_is(ticket->audience, audience->settings->name);
        configured |= its_own;
        if (audience->ops->unsubscribe && (all || its_own) &&
            add_tool(tools, world, ticket, text_of(audience->settings->name), err) < 0)
            return -1;
    }
    configured |= ticket->audience.len == 0 || text_is(ticket->audience, "seed") || text_is(ticket->audience, "test");
    return configured ? 0 : add_tool(tools, world, ticket, ticket->audience, err);
}

int consent_word(struct world *world, const struct unsubscribe_ticket *ticket, bool all, struct arena *arena,
                 struct store_suppression *out, struct error *err)
{
    struct address address;
    struct tools tools = {.arena = arena};

    *out = (struct store_suppression){.reason = "unsubscribe", .at_ms = clock_now_ms(world->clock)};
    if (address_parse(ticket->address, &address, err) < 0)
        return -1;
    crypt_person_key(world->keys, address.key, out->key);
    if (find_tools(&tools, world, ticket, all, err) < 0)
        return -1;
    out->scope = all ? "" : arena_copy(arena, ticket->audience);
    out->writebacks = tools.at;
    out->writeback_count = tools.count;
    return 0;
}

struct store_job *consent_unsubscribe(struct world *world, const struct unsubscribe_ticket *ticket, bool all,
                                      store_count_fn *done, void *ctx, struct error *err)
{
    struct store_suppression what;
    struct arena arena = {0};
    struct store_job *job = NULL;

    if (consent_word(world, ticket, all, &arena, &what, err) == 0) {
        job = store_suppress(world->store, &what, 1, done, ctx);
        writeback_look(world->writeback); /* what it asks of the store comes behind the job */
    }
    arena_clear(&arena);
    return job;
}
