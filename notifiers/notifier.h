/* notifier.h - the whole contract between Onsale and a notifier: a shared object that carries messages on one channel.
 *
 * A notifier is one file that includes this header and the libraries of its own channel, and exports one constant
 * named `notifier`. The host reads its option table out of the configuration into a zeroed struct of `state_size`
 * bytes, calls open() on it, hands deliveries to send(), and in the end calls close(). Start from example.c.
 *
 * Everything here is called on the host's loop thread, and so must everything in the host table be; only the `work`
 * of offload() runs elsewhere. Nothing may block the loop thread: no file or network calls that can wait.
 * Times are milliseconds. Secrets and people's addresses never go into log lines or result texts. */
#ifndef ONSALE_NOTIFIER_H
#define ONSALE_NOTIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* While it is 0 the contract may still change with each release. A notifier compiled for another number is refused. */
#define NOTIFIER_ABI 0
#define NOTIFIER_EXPORT __attribute__((visibility("default")))

/* ---- options: what the configuration may say ---- */

enum notifier_type {
    NOTIFIER_TEXT,   /* const char * */
    NOTIFIER_BOOL,   /* bool */
    NOTIFIER_INT,    /* int64_t within min..max */
    NOTIFIER_SPAN,   /* int64_t ms within min..max: "30s" */
    NOTIFIER_SIZE,   /* int64_t bytes within min..max: "10MB" */
    NOTIFIER_SECRET, /* const char *; may also come from KEY_file; never shown */
    NOTIFIER_PATH,   /* const char *, absolute when it arrives */
    NOTIFIER_WORD,   /* int: index into `words` */
};

struct notifier_option {
    const char
        *name; /* as in the configuration; NULL ends the table. Not one of the host's own: name, plugin, rate ... */
    enum notifier_type type;
    size_t offset; /* of the field in the notifier's struct */
    bool required;
    const char *fallback;     /* as it would be written; NULL: zero bytes */
    int64_t min, max;         /* both 0: any number that is not negative */
    const char *const *words; /* NOTIFIER_WORD: NULL-terminated */
};

/* ---- deliveries and what becomes of them ---- */

/* One message for one person. Lives from send() until its finish(); nothing in it changes meanwhile. */
struct notifier_delivery {
    const char *to;    /* recipient address: grammar checked, ASCII, no controls, no blanks */
    const char *from;  /* envelope sender, checked alike; may be "" */
    const char *token; /* letters and digits; the same on every attempt for this person, another for everybody else */
    const char *raw;   /* the whole message: headers and body, lines end in CRLF, the last one too */
    size_t raw_len;
    int attempt;     /* from 1 */
    void *of_plugin; /* free for the notifier's use; NULL at send() */
};

enum notifier_fate {
    NOTIFIER_ACCEPTED,
    NOTIFIER_TRY_LATER, /* not taken, and the same may work later */
    NOTIFIER_REFUSED,   /* not taken, and will not be */
    NOTIFIER_IN_DOUBT,  /* handed over, but the answer never came: it may or may not have been taken */
    NOTIFIER_RETURNED,  /* never begun: as if it had not been sent() */
};

/* Whose fault it is when it was not accepted. */
enum notifier_scope {
    NOTIFIER_ADDRESS, /* this recipient's: says nothing about others */
    NOTIFIER_MESSAGE, /* the message or our reputation: others will hear the same */
    NOTIFIER_CHANNEL, /* the way there: connection, password, limits */
};

/* For retry_after_ms: it asked us to slow down, and named no time. The host waits 1, 2, 4 ... 300 s. With scope channel
 * nothing of this notifier is sent for so long, also after a restart; with scope address this one person waits. */
#define NOTIFIER_SLOW_DOWN (-1)

struct notifier_result {
    enum notifier_fate fate;
    enum notifier_scope scope;
    int code;                  /* of the other side, 0 when it has none */
    const char *text;          /* what the other side said, without addresses; NULL; copied */
    int64_t retry_after_ms;    /* what it asked us to wait; 0: nothing, or NOTIFIER_SLOW_DOWN */
    int64_t handed_over_at_ms; /* now_ms() when the last byte of the message had been written; 0: never */
};

/* ---- what the host offers ---- */

struct notifier_timer;
struct notifier_wire;
struct notifier_http;
typedef void notifier_call(void *ctx);

/* A long-lived connection for a protocol of lines, made by the host's network library, which does name look-up, TLS
 * and log-in. smtp://HOST:PORT/EHLONAME (STARTTLS) or smtps:// (TLS at once). */
struct notifier_wire_spec {
    const char *url;
    const char *username, *password; /* NULL or "": no log-in */
    bool plain;                      /* no TLS; the host refuses it for anything but loopback */
    const char *ca_file;             /* PEM; NULL or "": the system's */
    int64_t connect_timeout_ms;      /* until log-in is done */
};

enum notifier_wire_failure {
    NOTIFIER_WIRE_UNREACHABLE, /* no such host, refused, timed out, dropped */
    NOTIFIER_WIRE_UNWELCOME,   /* the greeting or EHLO said no: code and text */
    NOTIFIER_WIRE_NO_TLS,      /* TLS is not offered, or the certificate does not verify */
    NOTIFIER_WIRE_NO_LOGIN,    /* log-in refused for now (code 454) */
    NOTIFIER_WIRE_WRONG_LOGIN, /* log-in refused, or not offered: a person has to change something */
};

/* Exactly one of opened and failed comes first, later than wire_open(). Nothing comes after failed, closed or
 * wire_close(). wire_close() is still owed after failed and closed; it may be called inside any of these. */
struct notifier_wire_events {
    /* `capabilities`: the server's last EHLO answer, lines separated by \n, codes removed; gone after the call. */
    void (*opened)(void *ctx, const char *capabilities);
    void (*failed)(void *ctx, enum notifier_wire_failure failure, int code, const char *text);
    void (*received)(void *ctx, const char *bytes, size_t len); /* any piece of the stream; gone after the call */
    void (*written)(void *ctx); /* all that was queued has been written, after a wire_flush() that said false */
    void (*closed)(void *ctx, const char *why);
};

struct notifier_http_header {
    const char *name, *value;
};
struct notifier_http_spec { /* copied */
    const char *method, *url;
    const struct notifier_http_header *headers;
    size_t header_count;
    const char *body;
    size_t body_len;
    size_t answer_limit; /* bytes; 0: the host's */
    int64_t timeout_ms;  /* of the whole transfer; 0: the host's */
};
struct notifier_http_result { /* gone after the call */
    int status;               /* 0 when no answer came */
    const char *body;
    size_t body_len;
    int64_t retry_after_ms; /* 0: nothing was asked for */
    const char *failure;    /* NULL when an answer came */
    bool in_doubt;          /* no answer, and the request may have been taken */
};
typedef void notifier_http_done(void *ctx, const struct notifier_http_result *result);

struct notifier_host {
    uint32_t abi, size;

    int64_t (*now_ms)(const struct notifier_host *host);  /* wall clock, Unix */
    int64_t (*mono_ms)(const struct notifier_host *host); /* never stepped: for timeouts */
    /* One line; `level` as in syslog: 3 error, 4 warning, 6 info, 7 debug. */
    void (*log)(const struct notifier_host *host, int level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

    /* Exactly once for each delivery that send() took, at any time, also inside send(). */
    void (*finish)(const struct notifier_host *host, struct notifier_delivery *delivery,
                   const struct notifier_result *result);
    /* There is room again after send() said NOTIFIER_BUSY. May call send() before it returns. */
    void (*ready)(const struct notifier_host *host);
    /* The channel cannot work: `text` for people. The host sends nothing until well(). Unless `needs_person`, it calls
     * warm() after 1, 2, 4 ... 60 s as the sign to try again. Deliveries not begun should be finished as returned. */
    void (*trouble)(const struct notifier_host *host, const char *text, bool needs_person);
    void (*well)(const struct notifier_host *host);

    /* What was learned about the other side, by a name such as its address: kept as long as the process lives, over
     * reloads too. recall: NULL when nothing was remembered; gone with the next remember. Both are copied. */
    void (*remember)(const struct notifier_host *host, const char *name, const char *what);
    const char *(*recall)(const struct notifier_host *host, const char *name);

    struct notifier_timer *(*timer_new)(const struct notifier_host *host, notifier_call *ring, void *ctx);
    void (*timer_start)(struct notifier_timer *timer, int64_t after_ms); /* once; starting again moves it */
    void (*timer_stop)(struct notifier_timer *timer);
    void (*timer_free)(struct notifier_timer *timer); /* NULL is fine */

    /* NULL only when the spec makes no sense: `error` says why. `events` must outlive the wire. */
    struct notifier_wire *(*wire_open)(const struct notifier_host *host, const struct notifier_wire_spec *spec,
                                       const struct notifier_wire_events *events, void *ctx, char *error,
                                       size_t error_size);
    /* Queues bytes (copied, once). Nothing leaves before wire_flush(). */
    void (*wire_write)(struct notifier_wire *wire, const char *bytes, size_t len);
    bool (*wire_flush)(struct notifier_wire *wire); /* true: everything queued has been written */
    /* Bytes since opened: queued, and given to the kernel so that the other side can read them. */
    int64_t (*wire_queued)(const struct notifier_wire *wire);
    int64_t (*wire_sent)(const struct notifier_wire *wire);
    void (*wire_close)(struct notifier_wire *wire); /* at once; NULL is fine */

    /* One HTTP transfer; `done` once, later, unless cancelled. NULL: `error` says why. */
    struct notifier_http *(*http_start)(const struct notifier_host *host, const struct notifier_http_spec *spec,
                                        notifier_http_done *done, void *ctx, char *error, size_t error_size);
    void (*http_cancel)(struct notifier_http *http); /* not after `done`; NULL is fine */

    /* Runs `work` on a thread of the pool, then `done` on the loop thread. Always both; close() waits for it. */
    void (*offload)(const struct notifier_host *host, notifier_call *work, notifier_call *done, void *ctx);
};

/* ---- what the notifier is ---- */

enum notifier_flags {
    NOTIFIER_TAKES_RAW = 1,       /* wants `raw`. Every notifier must, until there are others */
    NOTIFIER_REPEAT_REPLACES = 2, /* a second copy replaces the first in front of the person */
};

enum notifier_answer {
    NOTIFIER_STARTED, /* the whole batch is taken: one finish() for each follows */
    NOTIFIER_BUSY,    /* nothing has begun; ready() will follow */
};

struct notifier {
    uint32_t abi;  /* NOTIFIER_ABI, as this file was compiled */
    uint32_t size; /* sizeof(struct notifier), likewise */
    const char *name;
    const struct notifier_option *options;
    size_t state_size; /* of the struct that `options` fills */
    size_t batch_max;  /* deliveries per send(); 0 means 1 */
    unsigned flags;

    /* Checks the options together and makes ready; opens no connection yet. -1: `error` says what to change. */
    int (*open)(void *state, const struct notifier_host *host, char *error, size_t error_size);
    enum notifier_answer (*send)(void *state, struct notifier_delivery *const *batch, size_t count);
    /* Everything is finished by then. Gives back what open() took; the state itself is the host's. */
    void (*close)(void *state);

    /* The rest may be NULL. */
    /* Finish what has not begun as returned, and the rest as it answers; `at_once`: finish everything now. */
    void (*stop)(void *state, bool at_once);
    /* Somebody has paused: finish this one as returned if it has not begun to leave; else leave it alone. */
    void (*call_back)(void *state, struct notifier_delivery *delivery);
    void (*warm)(void *state);            /* deliveries are near, or trouble is worth another try: connect */
    void (*rest)(void *state);            /* nothing to do for a while: disconnect */
    int64_t (*window)(const void *state); /* deliveries it can have begun at a time; else batch_max */
    bool (*local)(const void *state);     /* the target is loopback or a folder; asked before open() too */
    /* For `check --online`: says what was seen, or what is wrong, through `done`, once, later or at once. */
    void (*probe)(void *state, void (*done)(void *ctx, bool fine, const char *text), void *ctx);
};

#endif
