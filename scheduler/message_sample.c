/* message_sample.c - messages for nobody: do templates say what there is to say? */
#include "message_private.h"

#include <string.h>

/* What definitions may have. */
static const struct definition sample_full[] = {
    {
        .site = "sample",
        .id = "sample-standing",
        .event_id = "sample-event",
        .revision = 1,
        .created_at_ms = 1798758000000, /* 2027-01-01 */
        .updated_at_ms = 1798758000000,
        .name = "Standing",
        .description = "Doors open at 18:30",
        .price = "49.90",
        .currency = "EUR",
        .sale_status = SALE_SCHEDULED,
        .sale_starts_at_ms = 1806048000000, /* 2027-03-26T08:00:00Z */
        .sale_ends_at_ms = 1812211200000,   /* 2027-06-05T16:00:00Z */
        .event_status = EVENT_UPCOMING,
        .event_title = "Summer Nights",
        .event_zone = "Europe/Berlin",
        .event_url = "https://arena.example/events/summer-nights",
        .event_place = "Arena, Main Street 1, Berlin",
        .event_starts_at_ms = 1812220200000, /* 2027-06-05T18:30:00Z */
    },
    {
        .site = "sample",
        .id = "sample-children",
        .event_id = "sample-event",
        .revision = 1,
        .created_at_ms = 1798758000000,
        .updated_at_ms = 1798758000000,
        .name = "Children",
        .description = "",
        .price = "",
        .currency = "",
        .free = true,
        .sale_status = SALE_SCHEDULED,
        .sale_starts_at_ms = 1806048000000,
        .sale_ends_at_ms = 1812211200000,
        .event_status = EVENT_UPCOMING,
        .event_title = "Summer Nights",
        .event_zone = "Europe/Berlin",
        .event_url = "https://arena.example/events/summer-nights",
        .event_place = "Arena, Main Street 1, Berlin",
        .event_starts_at_ms = 1812220200000,
    },
};

/* And the least that they have. */
static const struct definition sample_bare = {
    .site = "sample",
    .id = "sample-bare",
    .event_id = "sample-event",
    .revision = 1,
    .created_at_ms = MOMENT_NONE,
    .updated_at_ms = MOMENT_NONE,
    .name = "Standing",
    .description = "",
    .price = "",
    .currency = "",
    .sale_starts_at_ms = MOMENT_NONE,
    .sale_ends_at_ms = MOMENT_NONE,
    .event_title = "Summer Nights",
    .event_zone = "",
    .event_url = "",
    .event_place = "",
    .event_starts_at_ms = MOMENT_NONE,
};

const struct definition *const *message_sample_definitions(size_t *count)
{
    static const struct definition *const samples[] = {&sample_full[0], &sample_full[1]};

    *count = ARRAY_LEN(samples);
    return samples;
}

struct sampling {
    struct message_templates *templates;
    struct crypt_tokens *tokens;
    struct locales *locales;
    struct zones *zones;
    struct notice *notice;
};

/* One message in every language; with everything there can be, or with the least. */
static int try_sample(const struct sampling *sampling, bool full, struct error *err)
{
    static const struct definition *const bare[] = {&sample_bare};
    const struct templates *read = sampling->templates->read;
    size_t count = 1;
    struct message_batch_spec spec = {
        .templates = sampling->templates,
        .sender = full ? &(struct message_sender){"Arena", "Arena Ltd., Main Street 1, Berlin", "hello@arena.example"}
                       : &(struct message_sender){"Arena", "", ""},
        .mail = &(struct message_mail){.from = "Arena Tickets <tickets@arena.example>",
                                       .unsubscribe_url = full ? "https://arena.example/u/{{address}}" : ""},
        .tokens = sampling->tokens,
        .locales = sampling->locales,
        .zones = sampling->zones,
        .notice = sampling->notice,
        .open = full ? message_sample_definitions(&count) : bare,
        .site_zone = "UTC",
        .date_ms = sampling->notice->at_ms,
        .test = full,
        .plainly = true,
    };
    spec.open_count = count;
    struct message_batch *batch = message_batch_any(&spec, err);
    struct message message;
    int rc = batch ? 0 : -1;

    if (batch)
        batch->sample = full && sampling->notice->kind == MOMENT_SALE_START;
    message_init(&message);
    for (size_t i = 0; rc == 0 && i < templates_count(read); i++) {
        struct message_person person = {
            .address = TEXT("ana@fans.example"),
            .name = full ? TEXT("Ana Lima") : (struct text){0},
            .locale = text_of(templates_at(read, i)->tag),
        };
        rc = message_make(batch, &person, &message, err);
    }
    message_clear(&message);
    message_batch_free(batch);
    return rc;
}

int message_try_samples(struct message_templates *templates, struct error *err)
{
    static const struct crypt_keys no_keys;
    struct sampling sampling = {.templates = templates,
                                .tokens = crypt_tokens_new(&no_keys, err),
                                .locales = locales_new(err),
                                .zones = zones_new()};
    struct error why[MOMENT_KINDS] = {0};
    int rc = sampling.tokens && sampling.locales ? 0 : -1;

    for (int kind = 0; rc == 0 && kind < MOMENT_KINDS; kind++) {
        sampling.notice = notice_new(1, "sample", "sample-event", "sample", (enum moment_kind)kind,
                                     sample_full[0].sale_starts_at_ms, 1);
        templates->serves[kind] =
            try_sample(&sampling, true, &why[kind]) == 0 && try_sample(&sampling, false, &why[kind]) == 0;
        notice_free(sampling.notice);
    }
    if (rc == 0 && !templates->serves[MOMENT_SALE_START] && !templates->serves[MOMENT_SALE_END]) {
        /* Of the two faults the one that is not merely "this is for the other kind of moment". */
        bool for_end = strstr(why[MOMENT_SALE_START].text, "closes_at");
        rc = error_set(err, ERROR_CONFIG, "%s (what is not always there stands in a section of its own)",
                       why[for_end ? MOMENT_SALE_END : MOMENT_SALE_START].text);
    }
    zones_free(sampling.zones);
    locales_free(sampling.locales);
    crypt_tokens_free(sampling.tokens);
    return rc;
}
