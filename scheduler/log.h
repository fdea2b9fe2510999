/* log.h - what operators read: one line of key=value per event on stderr, with "<N>" levels when it is the
 * journal. Secrets and addresses of subscribers never come here. Loop thread. */
#ifndef ONSALE_LOG_H
#define ONSALE_LOG_H

#include "text.h"

/* The numbers are those of syslog (RFC 5424 section 6.2.1), which journald reads from "<N>". */
enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

struct log {
    FILE *out;
    enum log_level level; /* lines above it are dropped */
    bool journal;         /* "<N>" in front, no time: the journal adds its own */
};

/* stderr, at `level`; knows the journal by JOURNAL_STREAM. */
void log_init(struct log *log, enum log_level level);

/* `format` gives the rest of the line: "event=gathered notice=%lld people=%lld". Text from outside goes through
 * LOG_QUOTED. A NULL log swallows the line. */
void log_line(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

/* Outside text as a quoted value: at most 400 bytes, quotes, backslashes and control characters escaped. */
struct log_quoted {
    char text[512];
};
struct log_quoted log_quote(struct text t);
#define LOG_QUOTED(t) (log_quote(t).text)

#endif
