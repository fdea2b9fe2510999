/* A template from outside, with itself as a partial, over fixed values: whatever is compiled renders within bounds. */
#include "render.h"

#include <assert.h>

struct whole {
    struct text source;
};

static bool find_partial(void *ctx, struct text name, struct text *source)
{
    const struct whole *whole = ctx;

    *source = text_slice(whole->source, whole->source.len / 2, whole->source.len);
    return name.len < 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct whole whole = {{(const char *)data, size}};
    struct error err = {0};
    struct render_template *template =
        render_compile("fuzz", whole.source, size % 2 ? RENDER_HTML : RENDER_PLAIN, find_partial, &whole, &err);

    if (!template) {
        assert(err.kind == ERROR_CONFIG);
        return 0;
    }
    auto_buf struct buf out;
    json_t *values = json_pack("{sss[iis]s{sssbsn}}", "a", "<&>", "l", 1, 2, "x", "o", "a", "\"", "b", 1, "n");
    buf_init(&out, 16 * 1024);
    if (render(template, &values, 1, size % 3 == 0, &out, &err) < 0)
        assert(err.kind == ERROR_CONFIG);
    json_decref(values);
    render_free(template);
    return 0;
}
