/* text.h - text with its length, buffers that grow to a limit, arenas, and numbers read from outside text.
 * Plain memory, no locks: an object belongs to one thread at a time. */
#ifndef ONSALE_TEXT_H
#define ONSALE_TEXT_H

#include "error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Borrowed bytes; not terminated. Who made the bytes says how long they live. */
struct text {
    const char *ptr;
    size_t len;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

/* For printf: "%.*s", TEXT_ARGS(t). */
#define TEXT_ARGS(t) (int)(t).len, (t).ptr ? (t).ptr : ""

struct text text_of(const char *string); /* NULL gives the empty text */
bool text_given(const char *string);     /* neither NULL nor empty */
bool text_is(struct text a, const char *b);
bool text_equal(struct text a, struct text b);
bool text_equal_nocase(struct text a, struct text b); /* ASCII letters only */
bool text_starts(struct text t, const char *prefix);
struct text text_trim(struct text t);                          /* blanks, tabs, line ends off both ends */
struct text text_cut(struct text *rest, char separator);       /* the part before it; *rest is what follows */
struct text text_slice(struct text t, size_t from, size_t to); /* clamped */
bool text_is_utf8(struct text t);                              /* valid, shortest form, no surrogates, NUL refused */
char *text_dup(struct text t);                                 /* terminated copy for free() */
bool text_matches(struct text t, const char *glob);            /* '*' and '?' only; whole text, case counts */

/* Hexadecimal digits, two a byte, either case; false unless there are exactly as many as fill `out`. */
bool text_unhex(struct text t, unsigned char *out, size_t size);

/* How far two words are apart, for "did you mean": insert, delete, replace, swap of neighbours count one each. */
unsigned text_distance(const char *a, const char *b);

/* Grows as needed up to `limit` bytes. A buffer that would pass its limit, or that ran out of memory, is failed
 * and stays so: append freely and ask once. Always terminated by a NUL that is not counted. */
struct buf {
    char *ptr;
    size_t len, cap, limit;
    bool failed;
};

void buf_init(struct buf *buf, size_t limit);
void buf_clear(struct buf *buf);               /* frees; the buffer may be used again with its old limit */
void buf_reset(struct buf *buf);               /* forgets content and failure, keeps memory */
void buf_reserve(struct buf *buf, size_t len); /* room for so much at once: it does not grow step by step */
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_text(struct buf *buf, struct text t);
void buf_adds(struct buf *buf, const char *string);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_addv(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* Text from outside as a terminal may see it: what would move the cursor, is broken, or turns the line around is
 * written out ("\\x1b", "\\u202e"). */
void buf_add_visible(struct buf *buf, struct text t);
size_t buf_add_visible_char(struct buf *buf, struct text rest); /* the first character only; its bytes in `rest` */
bool buf_failed(const struct buf *buf);
struct text buf_text(const struct buf *buf);
/* Appends what a file holds; a larger one than there is room for is refused. The error does not name the file. */
int buf_add_file(struct buf *buf, const char *path, struct error *err);
char *buf_take(struct buf *buf); /* the terminated content for free(), NULL when failed; buf is empty then */

/* Many small things with one end: nothing in it is freed alone. Blocks grow by doubling. */
struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
};

void *arena_alloc(struct arena *arena, size_t size);  /* zeroed, aligned for anything; aborts when out of memory */
char *arena_copy(struct arena *arena, struct text t); /* terminated */
char *arena_string(struct arena *arena, const char *string); /* NULL stays NULL */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
void arena_clear(struct arena *arena); /* frees everything; the arena may be used again */

/* A whole decimal number within min..max; blanks, '+' and anything behind it are refused. */
int parse_i64(struct text t, int64_t min, int64_t max, int64_t *out, struct error *err);
/* "250ms 30s 5m 1h 7d 3y" (y = 365 d), one number and unit, or "0". Milliseconds. */
int parse_span(struct text t, int64_t *out_ms, struct error *err);
/* "512 10KB 10MB 1GB" (powers of 1024), bytes. */
int parse_size(struct text t, int64_t *out_bytes, struct error *err);
/* Writes a span the way people write it: "90s" stays, "3600000" is "1h". */
void buf_add_span(struct buf *buf, int64_t span_ms);
/* The same of a size: 65536 is "64KB". */
void buf_add_size(struct buf *buf, int64_t bytes);

/* Locals that clean up after themselves. */
#define auto_free __attribute__((cleanup(text_auto_free)))
#define auto_file __attribute__((cleanup(text_auto_file)))
#define auto_fd __attribute__((cleanup(text_auto_fd)))
#define auto_buf __attribute__((cleanup(buf_clear)))

static inline void text_auto_free(void *ptr)
{
    free(*(void **)ptr);
}
static inline void text_auto_file(FILE **file)
{
    if (*file)
        fclose(*file);
}
static inline void text_auto_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* malloc and friends that end the program with one line when memory is gone: there is nothing sane left to do. */
void *must_calloc(size_t count, size_t size);
void *must_realloc(void *ptr, size_t size);
char *must_strdup(const char *string);

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

#endif
