#include "audience/record.h"

#include <string.h>

bool interest_by_attribute(const struct interest *interest)
{
    return text_given(interest->attribute);
}

bool interest_by_list(const struct interest *interest)
{
    return text_given(interest->list_name);
}

static const char *with_event(const char *pattern, const char *event_id, struct arena *arena)
{
    const char *place = pattern ? strstr(pattern, "{event}") : NULL;

    if (!place)
        return pattern ? arena_copy(arena, text_of(pattern)) : NULL;
    return arena_printf(arena, "%.*s%s%s", (int)(place - pattern), pattern, event_id, place + strlen("{event}"));
}

struct interest interest_of(const struct audience_settings *settings, const struct audience_question *question,
                            struct arena *arena)
{
    const char *attribute = settings->interest.attribute;
    struct interest out = {.event_id = arena_copy(arena, text_of(question->event_id))};

    out.attribute = attribute ? arena_copy(arena, text_of(attribute)) : NULL;
    out.list_name = with_event(settings->interest.list_name, out.event_id, arena);
    return out;
}

static bool names_event(struct text token, const char *event_id)
{
    token = text_trim(token);
    while (token.len >= 2 && token.ptr[0] == '"' && token.ptr[token.len - 1] == '"')
        token = text_slice(token, 1, token.len - 1);
    if (text_equal_nocase(token, text_of(event_id)))
        return token.len > 0;
    if (token.len > 6 && text_equal_nocase(text_slice(token, 0, 5), TEXT("event")) &&
        (token.ptr[5] == '-' || token.ptr[5] == ':'))
        return text_equal_nocase(text_slice(token, 6, token.len), text_of(event_id));
    return false;
}

static bool text_names_event(struct text list, const char *event_id)
{
    size_t start = 0;

    if (names_event(list, event_id))
        return true;
    for (size_t i = 0; i <= list.len; i++) {
        if (i < list.len && !strchr(",; \t\r\n", list.ptr[i]))
            continue;
        if (names_event(text_slice(list, start, i), event_id))
            return true;
        start = i + 1;
    }
    return false;
}

static bool scalar_names_event(const json_t *value, const char *event_id)
{
    char number[24];

    if (json_is_string(value))
        return text_names_event((struct text){json_string_value(value), json_string_length(value)}, event_id);
    if (!json_is_integer(value))
        return false;
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return names_event(text_of(number), event_id);
}

bool interest_in(const json_t *value, const char *event_id)
{
    const json_t *entry;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, entry) if (scalar_names_event(entry, event_id)) return true;
        return false;
    }
    if (json_is_string(value) && json_string_value(value)[0] == '[') {
        json_t *list = json_loads(json_string_value(value), 0, NULL);
        bool found = json_is_array(list) && interest_in(list, event_id);
        json_decref(list);
        if (found)
            return true;
    }
    return scalar_names_event(value, event_id);
}

void draft_init(struct draft *draft)
{
    memset(draft, 0, sizeof *draft);
    draft->attributes = json_object();
}

void draft_clear(struct draft *draft)
{
    json_decref(draft->attributes);
    draft->attributes = NULL;
}

void draft_judge(struct draft *draft, enum consent consent)
{
    draft->judged = true;
    if (consent > draft->consent)
        draft->consent = consent;
}

static void put_status(struct draft *draft, struct text word)
{
    bool known;
    enum consent consent = consent_of_word(word, &known);

    draft_judge(draft, consent);
    if (!known && word.len > 0)
        draft->unknown = word;
}

static bool plainly_no(struct text word)
{
    return text_equal_nocase(word, TEXT("no")) || text_equal_nocase(word, TEXT("false")) ||
           text_equal_nocase(word, TEXT("0"));
}

static void put_suppression(struct draft *draft, struct text reasons)
{
    bool known;

    if (reasons.len == 0 || text_is(reasons, "[]"))
        return;
    /* "UNSUBSCRIBE" alone is a plain no; whatever else stands there, the tool itself refuses to write */
    bool only_left = consent_of_word(reasons, &known) == CONSENT_NO && known;
    if (draft->consent < (only_left ? CONSENT_NO : CONSENT_NEVER))
        draft->consent = only_left ? CONSENT_NO : CONSENT_NEVER;
}

static void put_attribute(struct draft *draft, struct text key, json_t *value)
{
    if (value && key.len > 0 && !json_object_getn(draft->attributes, key.ptr, key.len))
        json_object_setn(draft->attributes, key.ptr, key.len, value);
    json_decref(value);
}

void draft_put_attributes(struct draft *draft, json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (json_is_null(value))
            continue;
        put_attribute(draft, text_of(key), json_incref(value));
        enum role role = role_of_name(text_of(key));
        const char *kept = json_string_value(json_object_get(draft->attributes, key)); /* lives as long as the draft */
        if ((role == ROLE_LOCALE || role == ROLE_ZONE) && draft->of[role].len == 0)
            draft->of[role] = text_trim(text_of(kept));
    }
}

static void put_attributes_cell(struct draft *draft, struct text key, struct text value)
{
    json_t *object = json_loadb(value.ptr, value.len, 0, NULL);

    if (!json_is_object(object)) {
        json_decref(object);
        put_attribute(draft, key, json_stringn(value.ptr, value.len));
        return;
    }
    draft_put_attributes(draft, object);
    json_decref(object);
}

void draft_put(struct draft *draft, enum role role, struct text key, struct text value)
{
    value = text_trim(value);
    switch (role) {
    case ROLE_ADDRESS:
    case ROLE_NAME:
    case ROLE_FIRST_NAME:
    case ROLE_LAST_NAME:
    case ROLE_LOCALE:
    case ROLE_ZONE:
    case ROLE_ID:
        if (draft->of[role].len == 0)
            draft->of[role] = value;
        break;
    case ROLE_CONSENT:
        put_status(draft, value);
        break;
    case ROLE_OPTED_OUT:
        draft_judge(draft, plainly_no(value) ? CONSENT_YES : CONSENT_NO);
        break;
    case ROLE_BLOCKED:
        draft_judge(draft, plainly_no(value) ? CONSENT_YES : value.len == 0 ? CONSENT_NO : CONSENT_NEVER);
        break;
    case ROLE_SUPPRESSED:
        put_suppression(draft, value);
        break;
    case ROLE_LEFT_FILE:
        draft_judge(draft, CONSENT_NO);
        break;
    case ROLE_DEAD_FILE:
        draft_judge(draft, CONSENT_NEVER);
        break;
    case ROLE_ATTRIBUTES:
        if (value.len > 0)
            put_attributes_cell(draft, key, value);
        break;
    case ROLE_ATTRIBUTE:
        if (value.len > 0)
            put_attribute(draft, key, json_stringn(value.ptr, value.len));
        break;
    case ROLE_IGNORED:
    case ROLES:
        break;
    }
}

void draft_put_json(struct draft *draft, enum role role, const char *key, json_t *value, struct arena *arena)
{
    if (role == ROLE_ATTRIBUTES && json_is_object(value))
        draft_put_attributes(draft, value);
    else if (role == ROLE_ATTRIBUTE && !json_is_null(value) && !json_is_string(value))
        put_attribute(draft, text_of(key), json_incref(value));
    else if (json_is_string(value))
        draft_put(draft, role, text_of(key), (struct text){json_string_value(value), json_string_length(value)});
    else if (json_is_boolean(value))
        draft_put(draft, role, text_of(key), json_is_true(value) ? TEXT("true") : TEXT("false"));
    else if (json_is_integer(value))
        draft_put(draft, role, text_of(key),
                  text_of(arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value))));
    else if (json_is_null(value))
        draft_put(draft, role, text_of(key), TEXT(""));
    else /* a list or an object where a word belongs: never a yes */
        draft_put(draft,
                  role == ROLE_CONSENT || role == ROLE_OPTED_OUT || role == ROLE_BLOCKED || role == ROLE_SUPPRESSED
                      ? role
                      : ROLE_IGNORED,
                  text_of(key), json_array_size(value) == 0 && json_is_array(value) ? TEXT("[]") : TEXT("list"));
}

static bool interested(const struct draft *draft, const struct interest *interest)
{
    const char *key;
    json_t *value;

    json_object_foreach(draft->attributes, key,
                        value) if (plain_name_equal(text_of(key), text_of(interest->attribute)) &&
                                   interest_in(value, interest->event_id)) return true;
    return false;
}

/* Adds what fits, in the order of the source. */
static struct text attributes_text(json_t *attributes, struct arena *arena)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
    size_t size = json_object_size(attributes) ? json_dumpb(attributes, NULL, 0, flags) : 0;

    if (size == 0)
        return (struct text){"", 0};
    if (size > RECORD_ATTRIBUTES_MAX) {
        const char *key;
        json_t *value;
        void *next;
        size_t kept = 2;
        json_object_foreach_safe(attributes, next, key, value)
        {
            size_t more = json_dumpb(value, NULL, 0, flags | JSON_ENCODE_ANY) + 6 * strlen(key) + 4;
            if (kept + more > RECORD_ATTRIBUTES_MAX)
                json_object_del(attributes, key);
            else
                kept += more;
        }
        size = json_dumpb(attributes, NULL, 0, flags);
    }
    char *out = arena_alloc(arena, size + 1);
    json_dumpb(attributes, out, size, flags);
    return (struct text){out, size};
}

static struct text copied(struct text t, struct arena *arena)
{
    return (struct text){t.len ? arena_copy(arena, t) : "", t.len};
}

int draft_finish(struct draft *draft, const struct interest *interest, struct text fallback_id, struct arena *arena,
                 struct audience_record *out)
{
    const struct text *of = draft->of;

    if (of[ROLE_ADDRESS].len == 0)
        return -1;
    if (draft->consent == CONSENT_YES && interest_by_attribute(interest) && !interested(draft, interest))
        draft->consent = CONSENT_NO;
    *out = (struct audience_record){
        .consent = draft->consent,
        .source_id = copied(of[ROLE_ID].len ? of[ROLE_ID] : fallback_id, arena),
        .address = copied(of[ROLE_ADDRESS], arena),
        .name = copied(of[ROLE_NAME], arena),
        .locale = copied(of[ROLE_LOCALE], arena),
        .zone = copied(of[ROLE_ZONE], arena),
        .attributes = attributes_text(draft->attributes, arena),
    };
    if (out->name.len == 0 && of[ROLE_FIRST_NAME].len + of[ROLE_LAST_NAME].len > 0) {
        const char *blank = of[ROLE_FIRST_NAME].len && of[ROLE_LAST_NAME].len ? " " : "";
        out->name = text_of(
            arena_printf(arena, "%.*s%s%.*s", TEXT_ARGS(of[ROLE_FIRST_NAME]), blank, TEXT_ARGS(of[ROLE_LAST_NAME])));
    }
    return 0;
}

struct audience_record *records_add(struct records *records)
{
    if (records->count == records->cap) {
        records->cap = records->cap ? records->cap * 2 : 64;
        records->at = must_realloc(records->at, records->cap * sizeof *records->at);
    }
    return &records->at[records->count++];
}

void records_clear(struct records *records)
{
    free(records->at);
    *records = (struct records){0};
}
