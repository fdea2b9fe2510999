/* Whatever a label's value is, the text has one line for it, and who reads the line by the format's own rules finds the
 * value again, if it was text. Lines of the input are values. */
#include "metrics.h"

#include <assert.h>
#include <string.h>

/* Reads a value from behind its opening quote, as Prometheus does; returns what stands behind the closing one. */
static const char *read_value(const char *at, struct buf *out)
{
    for (; *at != '"'; at++) {
        assert(*at && *at != '\n');
        if (*at != '\\') {
            buf_addc(out, *at);
            continue;
        }
        at++;
        assert(*at == '\\' || *at == '"' || *at == 'n');
        buf_addc(out, *at == 'n' ? '\n' : *at);
    }
    return at + 1;
}

static void expect_value(const char **at, const char *before, const char *value)
{
    auto_buf struct buf read;

    buf_init(&read, 1 << 20);
    assert(strncmp(*at, before, strlen(before)) == 0);
    *at = read_value(*at + strlen(before), &read);
    buf_adds(&read, "");
    if (text_is_utf8(text_of(value)))
        assert(text_is(buf_text(&read), value));
    else
        assert(strlen(value) == read.len);
    assert(text_is_utf8(buf_text(&read)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text whole = {(const char *)data, size};
    struct text parts[3] = {text_cut(&whole, '\0'), text_cut(&whole, '\0'), whole};
    char *values[3];
    struct metrics *metrics = metrics_new(0);
    auto_buf struct buf out;

    for (size_t i = 0; i < 3; i++)
        values[i] = text_dup(parts[i]);
    buf_init(&out, 1 << 24);
    metrics_add(metrics, METRIC_SITE_WALKS, LABELS(values[0], values[1], values[2]), 7);
    metrics_add(metrics, METRIC_SITE_WALKS, LABELS(values[0], values[1], values[2]), 1);
    metrics_write(metrics, &out);
    assert(!buf_failed(&out));
    const char *at = strstr(out.ptr, "\nonsale_site_walks_total{");
    assert(at);
    expect_value(&at, "\nonsale_site_walks_total{site=\"", values[0]);
    expect_value(&at, ",kind=\"", values[1]);
    expect_value(&at, ",outcome=\"", values[2]);
    assert(strncmp(at, "} 8\n# HELP ", strlen("} 8\n# HELP ")) == 0);
    for (size_t i = 0; i < 3; i++)
        free(values[i]);
    metrics_free(metrics);
    return 0;
}
