/* error.h - why something failed, and what a caller can do about it. A plain value; any thread. */
#ifndef ONSALE_ERROR_H
#define ONSALE_ERROR_H

/* Named after what the caller can do about it. */
enum error_kind {
    ERROR_NONE,      /* an empty struct error means "fine" */
    ERROR_TRY_LATER, /* nothing wrong with the request: timeout, 429, 5xx, a lock */
    ERROR_REFUSED,   /* the same request will be refused again */
    ERROR_IN_DOUBT,  /* sent, but no answer came: it may have happened */
    ERROR_CONFIG,    /* a person has to change something */
};

struct error {
    enum error_kind kind;
    char text[512]; /* one line, cut at a UTF-8 boundary when too long; control characters replaced */
};

#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

/* Records a failure; returns -1. The first failure is the one that stays: a filled `err` keeps what it has. */
int error_set(struct error *err, enum error_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts a place in front of the text ("fans.csv: " ...) on its way up; returns -1. */
int error_at(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
