/* render_private.h - what the files of render share: render.c (compiling), render_run.c (a template over values),
 * render_form.c (a template with what is the same for many filled in). */
#ifndef ONSALE_RENDER_PRIVATE_H
#define ONSALE_RENDER_PRIVATE_H

#include "render.h"

enum {
    MAX_DEPTH = 100, /* sections and partials within each other, when compiled and when rendered */
    RENDER_NUMBER_SIZE = 40,
    INDENT_MAX = 1024,     /* bytes in front of a line of a partial */
    FORM_MAX = 512 * 1024, /* bytes of one text of a form */
    MAX_STEPS = 200000,    /* of one rendering: nested lists can ask for much work and give no output */
};

enum op { OP_TEXT, OP_INDENT, OP_VALUE, OP_RAW, OP_SECTION, OP_INVERTED, OP_PARTIAL };

struct node {
    enum op op;
    unsigned line, column;
    struct text text;   /* of the text, the name, or the partial's indentation */
    const char **parts; /* of a dotted name, terminated; NULL means "." */
    size_t part_count;
    size_t end; /* of a section: index behind its last node */
    size_t program;
};

struct program {
    struct text name; /* of the partial; "" the template itself */
    bool indented;
    bool missing; /* there is no such partial */
    struct text source;
    struct node *nodes;
    size_t count, cap;
};

struct render_template {
    char *name;
    enum render_escape escape;
    struct arena arena;
    struct program *programs; /* [0] is the template itself */
    size_t count;
};

/* render.c */
int render_place(struct error *err, const struct render_template *template, const struct program *program,
                 unsigned line, unsigned column);

/* render_run.c */
bool render_is_falsy(const json_t *value);
/* A text, a number, true or false as it is written; false: it is a group, a list or nothing. `number` holds what is no
 * text. */
bool render_scalar(const json_t *value, char number[RENDER_NUMBER_SIZE], struct text *out);

#endif
