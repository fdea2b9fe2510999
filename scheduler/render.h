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

/* A template with all that is the same for many filled in, once; what is left are slots for the texts of one person.
 * What it gives with its slots filled is what render() gives, strict, over the same values. */
struct render_form {
    struct render_piece {
        enum { RENDER_TEXT, RENDER_SLOT, RENDER_IF, RENDER_UNLESS } kind;
        struct text text; /* RENDER_TEXT */
        unsigned slot;    /* of the others: whose text stands here; whether there is one */
        bool html;        /* RENDER_SLOT: as buf_add_html() writes it */
        size_t end;       /* RENDER_IF, RENDER_UNLESS: index behind the last piece within */
    } * pieces;
    size_t count;
    struct arena arena;
};

enum { RENDER_COMMON = -1, RENDER_NO_SLOT = -2 };
/* Whose is a name? Its slot; or RENDER_COMMON: nobody's, look among the common values; or RENDER_NO_SLOT: a person's,
 * and no text. */
typedef int render_slot_fn(void *ctx, const char *const *parts, size_t part_count);

/* NULL when there is more to a person than slots can hold, or when it cannot be rendered: render() does the one, and
 * says of the other why. `common` holds none of the names that have slots. */
struct render_form *render_form_new(const struct render_template *template, json_t *common, render_slot_fn *slot_of,
                                    void *ctx);
void render_form_free(struct render_form *form);
/* Empty texts are not there. False: something says one that is not, which render() calls an error; or `out` is full. */
bool render_form_fill(const struct render_form *form, const struct text *slots, struct buf *out);

void buf_add_html(struct buf *buf, struct text t); /* & < > " ' as entities */

#endif
