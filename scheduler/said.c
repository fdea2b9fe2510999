#include "said.h"

#include "clock.h"

struct text said_begin(struct text text, size_t max)
{
    struct text t = text_slice(text, 0, max);

    while (t.len > 0 && t.len < text.len && ((unsigned char)text.ptr[t.len] & 0xC0) == 0x80)
        t.len--;
    return t;
}

json_t *json_said(const char *string, size_t max)
{
    struct text t = said_begin(text_of(string), max);

    if (!string)
        return json_null();
    json_t *json = json_stringn(t.ptr, t.len);
    return json ? json : json_string("?");
}

json_t *json_moment(int64_t at_ms)
{
    auto_buf struct buf line = {0};

    if (at_ms == MOMENT_NONE)
        return json_null();
    buf_init(&line, 64);
    buf_add_moment(&line, at_ms);
    return json_string(line.ptr);
}

json_t *json_counts(const struct notice *notice)
{
    struct tally tally = tally_with_rest(notice->course->tally, notice->rest);

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "planned", (json_int_t)tally.planned, "waiting",
                     (json_int_t)tally.waiting, "accepted", (json_int_t)tally.accepted, "refused",
                     (json_int_t)tally.refused, "in_doubt", (json_int_t)tally.in_doubt, "withheld",
                     (json_int_t)tally.withheld);
}
