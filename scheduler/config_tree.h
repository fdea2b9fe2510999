/* config_tree.h - inside of the configuration reader only (config*.c): one file as a tree of
 * texts, lists and mappings with their places. Everything lives in the document's arena. */
#ifndef ONSALE_CONFIG_TREE_H
#define ONSALE_CONFIG_TREE_H

#include "config.h"

enum config_kind {
    CONFIG_NODE_NOTHING, /* "key:" with nothing behind it, or "~" */
    CONFIG_NODE_TEXT,
    CONFIG_NODE_LIST,
    CONFIG_NODE_MAPPING,
    CONFIG_NODE_BAD, /* its problem is recorded already: nobody says more about it */
};

struct config_node {
    enum config_kind kind;
    struct config_place place, end; /* end: first place behind it */
    struct text text;               /* substituted; terminated */
    const char *written;            /* as in the file: what messages may quote */
    bool substituted;               /* holds something of the environment */
    struct config_node **items;     /* LIST */
    struct config_pair {
        const char *key;
        struct config_place place;
        struct config_node *value;
    } * pairs;    /* MAPPING */
    size_t count; /* of items or pairs */
};

struct config_span { /* what the echoed lines must not show */
    struct config_place from, to;
};

struct config_warning {
    struct config_place place;
    const char *text;
    struct config_warning *next;
};

struct config_doc {
    struct arena arena;
    const char *name, *folder;
    struct text source;       /* without byte order mark */
    struct config_node *root; /* NULL when the file is empty or unreadable as YAML */
    bool unreadable;          /* not YAML, too deep, too long: the tree says nothing */
    struct config_problem {
        struct config_place place;
        const char *text;
    } * problems; /* heap; in the order of their places */
    size_t problem_count, problem_room;
    struct config_warning *warnings, **last_warning; /* in the order they were found */
    bool open_to_all;                                /* everybody on this machine can read the file */
    struct config_span *secrets;                     /* heap */
    size_t secret_count, secret_room;
};

/* Fills doc->root from doc->source. */
void config_build(struct config_doc *doc);

/* From here on the lines of `node` are echoed as "***". */
void config_hide(struct config_doc *doc, const struct config_node *node);

/* The place of a byte of the source, lines and columns counted as YAML does. */
struct config_place config_place_at(const struct config_doc *doc, size_t offset);
/* The byte of a line at which a column begins; its length when it is shorter. */
size_t config_column(struct text line, unsigned column);
/* A line of the source without its end. */
struct text config_line(const struct config_doc *doc, unsigned line);

#endif
