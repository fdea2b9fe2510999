/* render_form.c - what is the same for many, rendered once. The template is walked as render_run.c walks it; where the
 * answer depends on the person, what is to be done stays behind as a piece. */
#include "render_private.h"

#include <string.h>

/* What a name is looked up in. The person's own values lie right above the common ones. */
struct layer {
    enum { LAYER_VALUES, LAYER_PERSON, LAYER_SLOT } kind;
    json_t *values; /* borrowed */
    unsigned slot;
};

struct former {
    const struct render_template *template;
    render_slot_fn *slot_of;
    void *ctx;
    struct render_form *form;
    size_t cap;
    struct buf text, indent;
    size_t steps, depth, height;
    struct layer layers[MAX_DEPTH];
};

struct found {
    bool personal;
    unsigned slot;
    json_t *value; /* NULL: there is none */
};

static struct render_piece *add_piece(struct former *f, struct render_piece piece)
{
    struct render_form *form = f->form;

    if (form->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        form->pieces = must_realloc(form->pieces, f->cap * sizeof *form->pieces);
    }
    form->pieces[form->count] = piece;
    return &form->pieces[form->count++];
}

static void end_text(struct former *f)
{
    if (f->text.len == 0)
        return;
    add_piece(f, (struct render_piece){
                     .kind = RENDER_TEXT,
                     .text = {arena_copy(&f->form->arena, buf_text(&f->text)), f->text.len},
                 });
    buf_reset(&f->text);
}

/* -1: it is a person's, and no slot holds it. */
static int look_up(const struct former *f, const struct node *node, struct found *out)
{
    *out = (struct found){0};
    if (!node->parts) {
        const struct layer *top = &f->layers[f->height - 1];
        *out = (struct found){.personal = top->kind == LAYER_SLOT, .slot = top->slot, .value = top->values};
        return top->kind == LAYER_PERSON ? -1 : 0;
    }
    for (size_t i = f->height; i > 0 && !out->value; i--) {
        const struct layer *layer = &f->layers[i - 1];
        if (layer->kind == LAYER_VALUES)
            out->value = json_object_get(layer->values, node->parts[0]);
        if (layer->kind != LAYER_PERSON)
            continue; /* in a text nothing is found */
        int slot = f->slot_of(f->ctx, node->parts, node->part_count);
        if (slot == RENDER_NO_SLOT)
            return -1;
        if (slot != RENDER_COMMON) {
            *out = (struct found){.personal = true, .slot = (unsigned)slot};
            return 0;
        }
    }
    for (size_t i = 1; i < node->part_count && out->value; i++)
        out->value = json_object_get(out->value, node->parts[i]);
    return 0;
}

static int form_value(struct former *f, const struct node *node)
{
    char number[RENDER_NUMBER_SIZE];
    struct found found;
    struct text t;

    if (look_up(f, node, &found) < 0)
        return -1;
    if (found.personal) {
        end_text(f);
        add_piece(f, (struct render_piece){.kind = RENDER_SLOT, .slot = found.slot, .html = node->op == OP_VALUE});
        return 0;
    }
    if (!render_scalar(found.value, number, &t))
        return json_is_null(found.value) ? 0 : -1;
    if (node->op == OP_VALUE)
        buf_add_html(&f->text, t);
    else
        buf_add_text(&f->text, t);
    return 0;
}

static int form_nodes(struct former *f, const struct program *program, size_t from, size_t to);

static int form_inside(struct former *f, const struct program *program, size_t section, struct layer layer)
{
    if (f->height == ARRAY_LEN(f->layers))
        return -1;
    f->layers[f->height++] = layer;
    int rc = form_nodes(f, program, section + 1, program->nodes[section].end);
    f->height--;
    return rc;
}

static int form_personal_section(struct former *f, const struct program *program, size_t section, unsigned slot)
{
    const struct node *node = &program->nodes[section];
    bool inverted = node->op == OP_INVERTED;

    end_text(f);
    size_t at = f->form->count;
    add_piece(f, (struct render_piece){.kind = inverted ? RENDER_UNLESS : RENDER_IF, .slot = slot});
    int rc = inverted ? form_nodes(f, program, section + 1, node->end)
                      : form_inside(f, program, section, (struct layer){.kind = LAYER_SLOT, .slot = slot});
    end_text(f);
    f->form->pieces[at].end = f->form->count;
    return rc;
}

static int form_section(struct former *f, const struct program *program, size_t section)
{
    const struct node *node = &program->nodes[section];
    struct found found;

    if (look_up(f, node, &found) < 0)
        return -1;
    if (found.personal)
        return form_personal_section(f, program, section, found.slot);
    if (node->op == OP_INVERTED)
        return render_is_falsy(found.value) ? form_nodes(f, program, section + 1, node->end) : 0;
    if (render_is_falsy(found.value))
        return 0;
    if (!json_is_array(found.value))
        return form_inside(f, program, section, (struct layer){.values = found.value});
    for (size_t i = 0; i < json_array_size(found.value); i++)
        if (form_inside(f, program, section, (struct layer){.values = json_array_get(found.value, i)}) < 0)
            return -1;
    return 0;
}

static int form_partial(struct former *f, const struct node *node)
{
    const struct program *partial = &f->template->programs[node->program];
    size_t indent = f->indent.len;

    if (partial->missing)
        return -1;
    buf_add_text(&f->indent, node->text);
    if (buf_failed(&f->indent))
        return -1;
    int rc = form_nodes(f, partial, 0, partial->count);
    f->indent.len = indent;
    return rc;
}

static int form_node(struct former *f, const struct program *program, size_t at)
{
    const struct node *node = &program->nodes[at];

    switch (node->op) {
    case OP_TEXT:
        buf_add_text(&f->text, node->text);
        return 0;
    case OP_INDENT:
        buf_add_text(&f->text, buf_text(&f->indent));
        return 0;
    case OP_VALUE:
    case OP_RAW:
        return form_value(f, node);
    case OP_SECTION:
    case OP_INVERTED:
        return form_section(f, program, at);
    case OP_PARTIAL:
        return form_partial(f, node);
    }
    return -1;
}

static int form_nodes(struct former *f, const struct program *program, size_t from, size_t to)
{
    if (f->depth == MAX_DEPTH)
        return -1;
    f->depth++;
    for (size_t at = from; at < to;) {
        const struct node *node = &program->nodes[at];
        if (++f->steps > MAX_STEPS || form_node(f, program, at) < 0 || buf_failed(&f->text) ||
            f->form->arena.used > FORM_MAX)
            return -1;
        at = node->op == OP_SECTION || node->op == OP_INVERTED ? node->end : at + 1;
    }
    f->depth--;
    return 0;
}

struct render_form *render_form_new(const struct render_template *template, json_t *common, render_slot_fn *slot_of,
                                    void *ctx)
{
    struct former *f = must_calloc(1, sizeof *f);
    struct render_form *form = must_calloc(1, sizeof *form);

    *f = (struct former){.template = template, .slot_of = slot_of, .ctx = ctx, .form = form, .height = 2};
    f->layers[0].values = common;
    f->layers[1].kind = LAYER_PERSON;
    buf_init(&f->text, FORM_MAX);
    buf_init(&f->indent, INDENT_MAX);
    int rc = form_nodes(f, &template->programs[0], 0, template->programs[0].count);
    end_text(f);
    buf_clear(&f->text);
    buf_clear(&f->indent);
    free(f);
    if (rc == 0)
        return form;
    render_form_free(form);
    return NULL;
}

void render_form_free(struct render_form *form)
{
    if (!form)
        return;
    free(form->pieces);
    arena_clear(&form->arena);
    free(form);
}

bool render_form_fill(const struct render_form *form, const struct text *slots, struct buf *out)
{
    for (size_t i = 0; i < form->count; i++) {
        const struct render_piece *piece = &form->pieces[i];
        struct text value = slots[piece->slot];
        if (piece->kind == RENDER_TEXT)
            buf_add_text(out, piece->text);
        else if (piece->kind == RENDER_SLOT && value.len == 0)
            return false;
        else if (piece->kind == RENDER_SLOT)
            (piece->html ? buf_add_html : buf_add_text)(out, value);
        else if ((piece->kind == RENDER_IF) != (value.len > 0))
            i = piece->end - 1;
    }
    return !buf_failed(out);
}
