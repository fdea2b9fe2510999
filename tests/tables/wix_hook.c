#include "source/wix_hook.h"
#include "table.h"

#include <string.h>

#define DEFINITION "0d5e7b91-3a2c-4f68-b1d4-6e9f0a7c2581"
#define EVENT "7f3c1a52-0b6e-4d0f-9a57-2d1e8c4b6a10"
#define INSTANCE "c6f1b3a7-2e94-4d58-8b0f-a17d5c3e9264"

static void take(json_t *claims, struct arena *arena, struct wix_hook *hook)
{
    struct error err = {0};

    if (wix_hook_read(claims, arena, hook, &err) < 0)
        fail_msg("refused: %s", err.text);
}

/* Wix's own bodies, by their documentation: the very claims, and the same where objects stand in place of strings. */
static void samples(void **state)
{
    static const struct {
        const char *file;
        enum wix_hook_about about;
        const char *type, *key, *entity;
        uint64_t sequence;
        int64_t revision;
        const char *event, *ids[2];
        size_t count;
    } cases[] = {
        {"created",
         WIX_HOOK_DEFINITION,
         "wix.events.v3.ticket_definition_created",
         "a1b6f9d2-73c5-4e08-b4a7-95d0e2c8f631",
         DEFINITION,
         1,
         1,
         EVENT,
         {DEFINITION},
         1},
        {"updated",
         WIX_HOOK_DEFINITION,
         "wix.events.v3.ticket_definition_updated",
         "b7e04c18-2d9f-45a6-8c31-6fe8a90b7d24",
         DEFINITION,
         3,
         3,
         EVENT,
         {DEFINITION},
         1},
        {"deleted",
         WIX_HOOK_DEFINITION,
         "wix.events.v3.ticket_definition_deleted",
         "c30d5ea9-81f7-4b62-a0c4-d97b1f6e5382",
         "4b07d2f6-c853-41ae-8e7b-f1296a3c50d8",
         13,
         0,
         "",
         {"4b07d2f6-c853-41ae-8e7b-f1296a3c50d8"},
         1},
        {"sale-started",
         WIX_HOOK_DEFINITION,
         "wix.events.v3.ticket_definition_sale_started",
         "d94a7f20-5e1c-48b3-97d6-0b8c2ea4f175",
         "5a93e81c-70f4-4d62-b9c5-3e8d14f6a027",
         5,
         5,
         EVENT,
         {"5a93e81c-70f4-4d62-b9c5-3e8d14f6a027"},
         1},
        {"order-confirmed",
         WIX_HOOK_ORDER,
         "wix.events.ticketing.events.OrderConfirmed",
         "wix.events.ticketing.events.OrderConfirmed|3FQK-7ZPX-1M2|2027-03-26T08:03:41.512Z",
         "",
         0,
         0,
         EVENT,
         {"5a93e81c-70f4-4d62-b9c5-3e8d14f6a027", DEFINITION},
         2},
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/tests/samples/wix/webhook-%s.json", getenv("ONSALE_SOURCE"), cases[i / 2].file);
        json_t *file = json_load_file(path, 0, NULL);
        assert_non_null(file);
        json_t *claims = i % 2 ? json_pack("{s:O}", "data", json_object_get(file, "decodedEnvelope"))
                               : json_incref(json_object_get(file, "jwtClaims"));
        struct arena arena = {0};
        struct wix_hook hook;
        take(claims, &arena, &hook);
        assert_int_equal(hook.about, cases[i / 2].about);
        assert_string_equal(hook.type, cases[i / 2].type);
        assert_string_equal(hook.key, cases[i / 2].key);
        assert_string_equal(hook.instance_id, INSTANCE);
        assert_string_equal(hook.entity_id, cases[i / 2].entity);
        assert_true(hook.sequence == cases[i / 2].sequence);
        assert_int_equal(hook.revision, cases[i / 2].revision);
        assert_string_equal(hook.event_id, cases[i / 2].event);
        assert_int_equal(hook.count, cases[i / 2].count);
        for (size_t k = 0; k < hook.count; k++)
            assert_string_equal(hook.ids[k], cases[i / 2].ids[k]);
        arena_clear(&arena);
        json_decref(claims);
        json_decref(file);
    }
}

/* What an envelope leads to; written with ' for ". */
static void routes(void **state)
{
    static const struct {
        const char *type, *event;
        enum wix_hook_about about;
        const char *key, *entity, *event_id;
        uint64_t sequence;
        int64_t revision;
        size_t count;
    } cases[] = {
#define V3 "wix.events.v3."
        {V3 "ticket_definition_sale_ended", "{'id':'a','entityId':'d','actionEvent':{'body':{}}}", WIX_HOOK_DEFINITION,
         "a", "d", "", 0, 0, 1},
        {V3 "ticket_definition_sale_period_updated",
         "{'id':'a','entityId':'d','actionEvent':{'body':{'afterUpdate':{'startDate':'x'}}},'entityEventSequence':'7'}",
         WIX_HOOK_DEFINITION, "a", "d", "", 7, 0, 1},
        /* AsJson, as strings and as objects */
        {V3 "ticket_definition_created",
         "{'id':'a','entityId':'d','createdEvent':{'entityAsJson':'{\\'eventId\\':\\'e\\',\\'revision\\':\\'4\\'}'}}",
         WIX_HOOK_DEFINITION, "a", "d", "e", 0, 4, 1},
        {V3 "ticket_definition_updated",
         "{'id':'a','updatedEvent':{'currentEntityAsJson':{'id':'d','eventId':'e','revision':9}}}", WIX_HOOK_DEFINITION,
         "a", "d", "e", 0, 9, 1},
        {V3 "ticket_definition_sale_started",
         "{'id':'a','entityId':'d','actionEvent':{'bodyAsJson':'{\\'ticketDefinition\\':{\\'eventId\\':\\'e\\'}}'}}",
         WIX_HOOK_DEFINITION, "a", "d", "e", 0, 0, 1},
        {V3 "ticket_definition_deleted", "{'id':'a','entityId':'d','deletedEvent':{'deletedEntity':{'eventId':'e'}}}",
         WIX_HOOK_DEFINITION, "a", "d", "e", 0, 0, 1},
        {V3 "ticket_definition_of_the_future", "{'id':'a','entityId':'d'}", WIX_HOOK_DEFINITION, "a", "d", "", 0, 0, 1},
        /* events */
        {V3 "event_canceled", "{'id':'a','entityId':'e','entityEventSequence':'18446744073709551615'}", WIX_HOOK_EVENT,
         "a", "e", "e", UINT64_MAX, 0, 0},
        {"wix.events.events.v3.event_updated", "{'id':'a','entityId':'e'}", WIX_HOOK_EVENT, "a", "e", "e", 0, 0, 0},
        /* orders */
        {"wix.events.ticketing.events.OrderUpdated", "{'eventId':'e','orderNumber':'n','timestamp':'t'}",
         WIX_HOOK_ORDER, "wix.events.ticketing.events.OrderUpdated|n|t", "", "e", 0, 0, 0},
        {"wix.events.ticketing.events.OrderConfirmed", "{'eventId':'e','tickets':null}", WIX_HOOK_ORDER, "", "", "e", 0,
         0, 0},
        {"wix.events.v1.order_order-paid",
         "{'tickets':[{'ticketDefinitionId':'d'},{'ticketDefinitionId':'d'},{},7,{'ticketDefinitionId':'../d'}]}",
         WIX_HOOK_ORDER, "", "", "", 0, 0, 1},
        /* without a type the slug says it, with the entity where it alone does not */
        {"", "{'id':'a','entityId':'d','slug':'sale_started','entityFqdn':'whatever'}", WIX_HOOK_DEFINITION, "a", "d",
         "", 0, 0, 1},
        {"", "{'id':'a','entityId':'d','slug':'updated','entityFqdn':'wix.events.ticketdef.v3.ticket_definition'}",
         WIX_HOOK_DEFINITION, "a", "d", "", 0, 0, 1},
        {"", "{'id':'a','entityId':'e','slug':'canceled','entityFqdn':'wix.events.events.v3.event'}", WIX_HOOK_EVENT,
         "a", "e", "e", 0, 0, 0},
        {"", "{'id':'a','entityId':'d','slug':'updated'}", WIX_HOOK_OTHER, "a", "", "", 0, 0, 0},
        /* nobody's business of ours */
        {"wix.events.v1.ticket_reservation_created", "{'id':'a','entityId':'r','slug':'created'}", WIX_HOOK_OTHER, "a",
         "", "", 0, 0, 0},
        {"wix.calendar.v3.event_updated", "{'id':'a','entityId':'e'}", WIX_HOOK_OTHER, "a", "", "", 0, 0, 0},
        {"com.wixpress.emailsubscriptions.v1.EmailSubscriptionChanged", "{}", WIX_HOOK_OTHER, "", "", "", 0, 0, 0},
        /* numbers that are none */
        {V3 "ticket_definition_updated",
         "{'id':'a','entityId':'d','entityEventSequence':'18446744073709551616','updatedEvent':{'currentEntity':{'"
         "revision':'"
         "-3'}}}",
         WIX_HOOK_DEFINITION, "a", "d", "", 0, 0, 1},
        {V3 "ticket_definition_updated",
         "{'id':'a','entityId':'d','entityEventSequence':-1,'updatedEvent':{'currentEntity':{'revision':'"
         "9223372036854775808'}}}",
         WIX_HOOK_DEFINITION, "a", "d", "", 0, 0, 1},
        /* an id that no row and no line could hold is none */
        {V3 "ticket_definition_updated", "{'id':'a b','entityId':'d'}", WIX_HOOK_DEFINITION, "", "d", "", 0, 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *body = strdup(cases[i].event);
        struct arena arena = {0};
        struct wix_hook hook;
        for (char *c = body; *c; c++)
            if (*c == '\'')
                *c = '"';
        json_t *envelope = json_pack("{s:s}", "data", body);
        if (*cases[i].type)
            json_object_set_new(envelope, "eventType", json_string(cases[i].type));
        char *text = json_dumps(envelope, 0);
        json_t *claims = json_pack("{s:s}", "data", text);
        take(claims, &arena, &hook);
        if (hook.about != cases[i].about || strcmp(hook.key, cases[i].key) != 0 ||
            strcmp(hook.entity_id, cases[i].entity) != 0 || strcmp(hook.event_id, cases[i].event_id) != 0 ||
            hook.sequence != cases[i].sequence || hook.revision != cases[i].revision || hook.count != cases[i].count)
            fail_msg("case %zu: about %d key %s entity %s event %s sequence %llu revision %lld count %zu", i,
                     hook.about, hook.key, hook.entity_id, hook.event_id, (unsigned long long)hook.sequence,
                     (long long)hook.revision, hook.count);
        arena_clear(&arena);
        json_decref(claims);
        json_decref(envelope);
        free(text);
        free(body);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *claims, *says;
    } cases[] = {
        {"{}", "data: expected"},
        {"{\"data\":7}", "data: expected"},
        {"{\"data\":\"\"}", "data: expected"},
        {"{\"data\":\"[]\"}", "data: expected"},
        {"{\"data\":\"{\"}", "data: expected"},
        {"{\"data\":{}}", "data.data: expected"},
        {"{\"data\":{\"data\":\"secret\"}}", "data.data: expected"},
        {"{\"data\":{\"data\":[]}}", "data.data: expected"},
        {"{\"data\":{\"eventType\":\"wix.events.v3.ticket_definition_updated\",\"data\":{}}}", "entityId"},
        {"{\"data\":{\"eventType\":\"wix.events.v3.ticket_definition_updated\",\"data\":{\"entityId\":\"../../x\"}}}",
         "entityId"},
        {"{\"data\":{\"eventType\":\"wix.events.v3.event_canceled\",\"data\":{\"entityId\":7}}}", "entityId"},
        {"{\"data\":{\"eventType\":\"wix.events.ticketing.events.OrderConfirmed\",\"data\":{\"email\":\"secret\"}}}",
         "eventId"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *claims = json_loads(cases[i].claims, 0, NULL);
        struct arena arena = {0};
        struct wix_hook hook;
        struct error err = {0};
        assert_non_null(claims);
        if (wix_hook_read(claims, &arena, &hook, &err) == 0 || !strstr(err.text, cases[i].says) ||
            strstr(err.text, "secret"))
            fail_msg("case %zu: %s", i, err.text);
        arena_clear(&arena);
        json_decref(claims);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples),
        cmocka_unit_test(routes),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests_name("wix_hook", tests, NULL, NULL);
}
