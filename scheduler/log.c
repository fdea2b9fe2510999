#include "log.h"

#include "clock.h"

#include <string.h>
#include <sys/stat.h>

/* JOURNAL_STREAM names the device and inode of the stream that systemd gave us (systemd.exec(5)). */
static bool is_journal(FILE *out)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fileno(out), &st) == 0 &&
           st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

void log_init(struct log *log, enum log_level level)
{
    *log = (struct log){.out = stderr, .level = level, .journal = is_journal(stderr)};
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
    auto_buf struct buf line = {0};
    va_list args;

    if (!log || level > log->level)
        return;
    buf_init(&line, 16 * 1024);
    if (log->journal) {
        buf_addf(&line, "<%d>", level);
    } else {
        buf_add_moment(&line, clock_now_ms(&clock_machine));
        buf_adds(&line, level <= LOG_ERROR ? " error " : level == LOG_WARNING ? " warning " : " ");
    }
    va_start(args, format);
    buf_addv(&line, format, args);
    va_end(args);
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < 0x20)
            line.ptr[i] = ' ';
    buf_addc(&line, '\n');
    if (!buf_failed(&line))
        fwrite(line.ptr, 1, line.len, log->out); /* one write: lines of several processes do not mix */
    fflush(log->out);
}

struct log_quoted log_quote(struct text t)
{
    struct log_quoted quoted;
    size_t at = 0;

    quoted.text[at++] = '"';
    for (size_t i = 0; i < t.len && at < sizeof quoted.text - 8; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c == '"' || c == '\\') {
            quoted.text[at++] = '\\';
            quoted.text[at++] = (char)c;
        } else {
            quoted.text[at++] = (char)(c < 0x20 || c == 0x7F ? ' ' : c);
        }
    }
    quoted.text[at++] = '"';
    quoted.text[at] = '\0';
    return quoted;
}
