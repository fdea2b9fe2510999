/* A header, "name:value" a line: whatever it holds, an answer is chosen, and "you have it" is said to nobody who did
 * not name a tag of ours, '*', or a date not before the last change. */
#include "conditional.h"

#include <string.h>

static bool holds(struct text t, const char *piece)
{
    return memmem(t.ptr ? t.ptr : "", t.len, piece, strlen(piece)) != NULL;
}

static void try_date(struct text t)
{
    char written[CONDITIONAL_DATE_SIZE];
    int64_t at_ms, again;

    if (conditional_date_parse(t, &at_ms) < 0)
        return;
    conditional_date_write(at_ms, written);
    if (conditional_date_parse(text_of(written), &again) < 0 || again != at_ms)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conditional_forms forms = {
        .plain = TEXT("\"abc\""), .gzip = TEXT("\"abc-gz\""), .modified_at_ms = 784111777999};
    struct conditional request = {0};
    struct text rest = {(const char *)data, size};
    bool tag = false;

    while (rest.len > 0) {
        struct text value = text_cut(&rest, '\n'), name = text_cut(&value, ':');
        conditional_field(&request, name, value);
        tag |= holds(value, "\"abc\"") || holds(value, "\"abc-gz\"") || holds(value, "*");
        try_date(value);
    }
    struct conditional_choice choice = conditional_choose(&request, &forms);
    if (choice.has_it && !tag && request.modified_since_count != 1)
        abort();
    if (choice.has_it && request.none_match_count > 0 && !tag)
        abort();
    if (choice.gzip && !request.gzip_q && !request.any_q)
        abort();
    forms.gzip = (struct text){0};
    if (conditional_choose(&request, &forms).gzip)
        abort();
    return 0;
}
