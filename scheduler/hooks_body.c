#include "hooks_body.h"

/* In our words: jansson's name what stands there. */
static const char *wrong(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "a field stands in an object twice";
    case json_error_premature_end_of_input:
        return "it ends too soon";
    case json_error_end_of_input_expected:
        return "something stands behind the end";
    case json_error_invalid_utf8:
        return "it is not UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text holds NUL";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_stack_overflow:
        return "it is nested too deeply";
    default:
        return "it is not JSON there";
    }
}

json_t *hook_body_parse(struct text body, struct error *err)
{
    json_error_t error;
    json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (!json && text_trim(body).len == 0)
        error_set(err, ERROR_REFUSED, "the body: expected JSON, found nothing");
    else if (!json)
        error_set(err, ERROR_REFUSED, "the body, line %d, column %d: expected JSON, but %s", error.line, error.column,
                  wrong(&error));
    return json;
}

const char *hook_shape(const json_t *value)
{
    static const char *const shapes[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a text", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",   [JSON_NULL] = "null",
    };

    return value ? shapes[json_typeof(value)] : "nothing";
}
