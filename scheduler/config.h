/* config.h - YAML with places -> checked values, by schema tables. One file is read whole: every mistake becomes a
 * problem with its place, and reading goes on. Not for the loop's hot path; any one thread.
 *
 * A part of the program describes what it takes in a table of options over a struct of its own. Lists, texts and
 * nested structs live in the document's arena and die with it. */
#ifndef ONSALE_CONFIG_H
#define ONSALE_CONFIG_H

#include "text.h"

struct config_place {
    unsigned line, column; /* from 1; 0 when there is no place */
};

struct config_list { /* of texts */
    const char **at;
    struct config_place *places; /* one for each */
    size_t count;
};

struct config_rate { /* "500/s", "10000/h" */
    int64_t count;
    int64_t per_ms;
};
struct config_rates {
    struct config_rate *at;
    size_t count;
};
struct config_items { /* of nested structs */
    void *at;
    struct config_place *places;
    size_t count;
};

enum config_type {
    CONFIG_TEXT,     /* const char * */
    CONFIG_BOOL,     /* bool: true, false */
    CONFIG_INT,      /* int64_t within min..max */
    CONFIG_SPAN,     /* int64_t ms within min..max */
    CONFIG_SIZE,     /* int64_t bytes within min..max */
    CONFIG_RATES,    /* struct config_rates: one rate or a list of them */
    CONFIG_WORD,     /* int: index into `words`; -1 after a mistake */
    CONFIG_LIST,     /* struct config_list; a single text is a list of one */
    CONFIG_PATH,     /* const char *, relative to the folder of the configuration file */
    CONFIG_SECRET,   /* const char *; KEY itself, or KEY_file: path whose first line is the secret. Never echoed */
    CONFIG_SECTION,  /* a nested struct in place, by `inside` */
    CONFIG_ITEMS,    /* struct config_items: a list of mappings, each a struct of `item_size` read by `inside` */
    CONFIG_CUSTOM,   /* `read` makes of a text whatever it likes */
    CONFIG_OTHER,    /* read by somebody else later (a plugin's options); accepted here */
    CONFIG_RESERVED, /* a key that a later version will take: refused with these words */
    CONFIG_PLACE,    /* struct config_place of the mapping itself; `name` is "" and never matches a key */
};

struct config_doc;

struct config_option {
    const char *name; /* NULL ends a table */
    enum config_type type;
    size_t offset; /* into the struct that the table is about */
    bool required;
    const char *fallback;     /* as it would be written; NULL: zero bytes, empty list */
    const char *expects;      /* for messages, where the type's own words are too vague; may be NULL */
    int64_t min, max;         /* both 0: any not negative number */
    const char *const *words; /* CONFIG_WORD: NULL-terminated */
    const struct config_option *inside;
    size_t item_size;
    int (*read)(struct text t, void *field, struct arena *arena, struct error *err);
    bool open;        /* SECTION, ITEMS: keys that `inside` does not have are left for config_read_at() */
    const char *only; /* "wix": the key means something only beside `source: wix`; refused beside another */
};

/* Opens a file, substitutes ${NAME} from the environment, parses. NULL only when the file cannot be read at all
 * (`err`); a file with mistakes gives a document with problems. `name` is what problems call the file. */
struct config_doc *config_open(const char *path, struct error *err);
struct config_doc *config_parse(const char *name, const char *folder, struct text yaml); /* copies all */
/* False when the file is no YAML at all, so that the tables had nothing to read: checks beyond them say nothing new. */
bool config_is_readable(const struct config_doc *doc);
void config_free(struct config_doc *doc);
struct arena *config_arena(struct config_doc *doc);
/* A path as the file means it: a relative one starts in the file's own folder. */
const char *config_path(struct config_doc *doc, struct text path);

/* Fills `out` from the document's top mapping by the table: fallbacks applied, unknown keys, wrong types and missing
 * keys recorded as problems. After problems `out` may lack what is required. */
void config_read(struct config_doc *doc, const struct config_option *options, void *out);

/* Reads the mapping that stands at `place` (as recorded by CONFIG_PLACE or config_items.places) a second time by
 * another table: how a notifier's own options are taken. Keys of `known` are left alone (they were read before). */
void config_read_at(struct config_doc *doc, struct config_place place, const struct config_option *options,
                    const struct config_option *known, void *out);

/* For checks beyond the tables: "unknown audience "vips" (did you mean "vip"?)". */
void config_problem(struct config_doc *doc, struct config_place place, const char *format, ...) PRINTF_LIKE(3, 4);
/* Whether the mapping at `place` has a key. */
bool config_has(const struct config_doc *doc, struct config_place place, const char *key);
/* Where a key of the mapping at `place` has its value, else `place` itself. */
struct config_place config_place_of(const struct config_doc *doc, struct config_place place, const char *key);
/* Adds ` (did you mean "x"?)`, ` (known: a, b, c)` or ` (there is none)` to a message. */
void buf_add_suggestion(struct buf *buf, const char *wrong, const char *const *known, size_t count);

/* What works and is better mended all the same. */
void config_warning(struct config_doc *doc, struct config_place place, const char *format, ...) PRINTF_LIKE(3, 4);
/* The one at `index`, as "onsale.yaml:31:5: ..."; false behind the last. */
bool config_add_warning(const struct config_doc *doc, size_t index, struct buf *out);

size_t config_problem_count(const struct config_doc *doc);
/* All problems in the order of their places:
 *     onsale.yaml:31:5: error: rule on-sale: unknown audience "vips" (did you mean "vip"?)
 *         audiences: [vips]
 *                     ^
 */
void config_print_problems(const struct config_doc *doc, FILE *out);
/* The first one as an error ("onsale.yaml:31:5: ..."); returns -1, or 0 when there is none. */
int config_check(const struct config_doc *doc, struct error *err);

#endif
