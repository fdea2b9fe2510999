#include "suppression.h"

#include <string.h>

static const char *const reasons[] = {"operator", "unsubscribe", "bounce", "complaint", "erased"};

int suppression_reason(struct text reason, const char **out, struct error *err)
{
    if (reason.len == 0)
        reason = TEXT("operator");
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (text_equal_nocase(reason, text_of(reasons[i]))) {
            *out = reasons[i];
            return 0;
        }
    return error_set(err, ERROR_REFUSED, "reason: expected operator, unsubscribe, bounce, complaint or erased");
}

static int read_at(struct text at, int64_t *out, struct error *err)
{
    *out = MOMENT_NONE;
    if (at.len == 0 || moment_parse(at, out, NULL) == 0)
        return 0;
    return error_set(err, ERROR_REFUSED, "at: expected a time such as 2027-03-26T08:00:00Z");
}

static int read_person(struct text address, struct text key, struct suppression *out, struct error *err)
{
    out->has_address = address.len > 0;
    out->has_key = key.len > 0;
    if (!out->has_address && !out->has_key)
        return error_set(err, ERROR_REFUSED, "address: missing, and there is no key either");
    if (out->has_address && address_parse(address, &out->address, err) < 0)
        return error_at(err, "address");
    if (out->has_key && !text_unhex(key, out->key, sizeof out->key))
        return error_set(err, ERROR_REFUSED, "key: expected 32 hexadecimal digits");
    return 0;
}

int suppression_read(const struct suppression_line *line, struct suppression *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    out->scope = text_trim(line->scope);
    if (read_person(text_trim(line->address), text_trim(line->key), out, err) < 0 ||
        suppression_reason(text_trim(line->reason), &out->reason, err) < 0 ||
        read_at(text_trim(line->at), &out->at_ms, err) < 0)
        return -1;
    if (out->scope.len > SUPPRESSION_SCOPE_MAX || !text_is_utf8(out->scope))
        return error_set(err, ERROR_REFUSED, "scope: expected the name of an audience, or nothing for all");
    return 0;
}
