/* render.h - Mustache templates (the official spec's core modules), compiled once, rendered over jansson values.
 * Pure. A compiled template is immutable and may be shared by threads. */
#ifndef ONSALE_RENDER_H
#define ONSALE_RENDER_H

#include "text.h"

#include <jansson.h>

struct render_template;
enum render_escape { RENDER_PLAIN, RENDER_HTML };

/* Finds a partial's source by name; false when there is none (it renders as nothing, as the spec says). */
typedef bool render_partial_fn(void *ctx, struct text name, struct text *source);

/* `name` is used in errors: "on-sale/email.html:12:7: section {{#prices}} is never closed". */
struct render_template *render_compile(const char *name, struct text source, enum render_escape escape,
                                       render_partial_fn *partials, void *ctx, struct error *err);
void render_free(struct render_template *template);

/* Values are looked up in `layers`, the last first: what is the same for all below, the subscriber's on top.
 * Strict: a name found nowhere is an error with its place (`check`, previews); else it is empty text. */
int render(const struct render_template *template, json_t *const *layers, size_t layer_count, bool strict,
           struct buf *out, struct error *err);

#endif
