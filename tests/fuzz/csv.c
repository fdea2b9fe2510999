/* A file of subscribers from outside. The first byte chooses how much of it comes into sight at a time: the records
 * must be the same as when all of it is there, every byte is passed exactly once, and lines are counted. */
#include "audience/csv.h"
#include "audience/objects.h"
#include "audience/record.h"

#include <assert.h>
#include <string.h>

static const enum role roles[] = {
    ROLE_ADDRESS, ROLE_CONSENT, ROLE_ATTRIBUTES, ROLE_NAME, ROLE_SUPPRESSED, ROLE_BLOCKED, ROLE_ATTRIBUTE, ROLE_ZONE,
};

static void judge(const struct csv_row *row, struct arena *arena)
{
    const struct interest interest = {.event_id = "77", .attribute = "events"};
    struct audience_record record;
    struct draft draft;

    draft_init(&draft);
    for (size_t i = 0; i < row->count; i++)
        draft_put(&draft, roles[i % ARRAY_LEN(roles)], TEXT("events"), row->fields[i]);
    if (draft_finish(&draft, &interest, TEXT("line"), arena, &record) == 0) {
        assert(record.address.len > 0);
        assert(record.attributes.len <= RECORD_ATTRIBUTES_MAX);
        assert(record.consent <= CONSENT_NEVER);
    }
    draft_clear(&draft);
}

static uint64_t mixed(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t read_csv(struct text data, size_t step)
{
    struct csv csv;
    struct arena arena = {0};
    struct csv_row row;
    uint64_t hash = 1, line = 0;
    size_t from = 0, to = 0, used;

    csv_init(&csv, csv_guess_separator(data));
    for (;;) {
        enum csv_event event = csv_next(&csv, text_slice(data, from, to), to == data.len, &arena, &row, &used);
        assert(from + used <= to);
        from += used;
        if (event == CSV_END)
            break;
        if (event == CSV_MORE) {
            assert(to < data.len);
            to = data.len - to < step ? data.len : to + step;
            continue;
        }
        assert(row.line > line && csv.line > row.line);
        line = row.line;
        hash = mixed(hash, &line, sizeof line);
        for (size_t i = 0; i < row.count; i++) {
            assert(text_is_utf8(row.fields[i]));
            hash = mixed(hash, row.fields[i].ptr, row.fields[i].len);
            hash = mixed(hash, "|", 1);
        }
        if (event == CSV_ROW)
            judge(&row, &arena);
    }
    assert(from == data.len);
    arena_clear(&arena);
    return hash;
}

static uint64_t read_objects(struct text data, size_t step, bool array)
{
    struct objects objects;
    struct object object;
    uint64_t hash = 1;
    size_t from = 0, to = 0, used;

    objects_init(&objects, array);
    for (;;) {
        enum objects_event event = objects_next(&objects, text_slice(data, from, to), to == data.len, &object, &used);
        assert(from + used <= to);
        from += used;
        if (event == OBJECTS_END || event == OBJECTS_BROKEN)
            return mixed(hash, &event, sizeof event);
        if (event == OBJECTS_MORE) {
            assert(to < data.len);
            to = data.len - to < step ? data.len : to + step;
            continue;
        }
        hash = mixed(hash, &object.line, sizeof object.line);
        hash = mixed(hash, object.json.ptr, object.json.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = (size_t)data[0] % 64 + 1;
    struct text text = {(const char *)data + 1, size - 1};
    assert(read_csv(text, step) == read_csv(text, size));
    assert(read_objects(text, step, false) == read_objects(text, size, false));
    assert(read_objects(text, step, true) == read_objects(text, size, true));
    return 0;
}
