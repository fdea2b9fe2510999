/* The text of a registry in which every family has something, under names as bad as outside text can be: for promtool,
 * and for whoever has to know what the families are called. */
#include "metrics.h"

static const char *const names[] = {
    "arena",
    "",
    "a \"quoted\" one",
    "C:\\arena\\",
    "two\nlines",
    "\"} 1\nonsale_copy 2\n#",
    "{site=\"x\"}",
    "tab\there",
    "Šventė 🎟",
    "\xff\xfe no text \xc3",
    "# HELP onsale_copy",
    "NaN",
    " ",
    "\r\n",
};

int main(void)
{
    struct metrics *metrics = metrics_new(1700000000123);
    auto_buf struct buf out;

    for (enum metric family = 0; family < METRICS; family++)
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            const char *const labels[METRICS_LABELS] = {names[i], names[(i + 1) % ARRAY_LEN(names)], names[i]};
            if (metric_families[family].type == METRIC_HISTOGRAM)
                metrics_observe(metrics, family, labels, (int64_t)(i * i * i));
            else
                metrics_set(metrics, family, labels, i == 3 ? METRIC_INFINITE : (int64_t)i * 1001);
        }
    buf_init(&out, 16 * 1024 * 1024);
    metrics_write(metrics, &out);
    metrics_free(metrics);
    return buf_failed(&out) || fwrite(out.ptr, 1, out.len, stdout) != out.len;
}
