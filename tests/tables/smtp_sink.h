/* smtp_sink.h - tests/fakes/smtp_sink.py, a mail server that does as told, beside a table of rules. */
#ifndef ONSALE_SMTP_SINK_H
#define ONSALE_SMTP_SINK_H

#include "fake.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum sink_way { PLAIN, STARTTLS, SMTPS };

struct sink {
    struct fake fake;
    int control;
    FILE *log; /* read from where the last look ended */
};

/* Its log lies in `place`, and there its certificate is found. */
static inline void sink_start(struct sink *sink, const char *place, enum sink_way way)
{
    static const char *const names[] = {"plain", "tls", "tls_at_once"};
    char log[200], command[1000];
    int len;

    snprintf(log, sizeof log, "%s/%s.log", place, names[way]);
    fclose(fopen(log, "w"));
    len = snprintf(command, sizeof command, "exec python3 -B smtp_sink.py --log %s", log);
    if (way != PLAIN)
        snprintf(command + len, sizeof command - (size_t)len, " --cert %s/server.pem --key %s/server.key%s", place,
                 place, way == SMTPS ? " --smtps" : "");
    FILE *said = fake_open(&sink->fake, command);
    assert_int_equal(fscanf(said, " control %d", &sink->control), 1);
    fclose(said);
    sink->log = fopen(log, "r");
}

static inline void sink_stop(struct sink *sink)
{
    fake_stop(&sink->fake);
    fclose(sink->log);
}

static inline void sink_ask(struct sink *sink, const char *order, char *answer, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)sink->control)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    dprintf(fd, "%s\n", order);
    FILE *in = fdopen(fd, "r");
    assert_non_null(fgets(answer, (int)size, in));
    assert_non_null(strchr(answer, '\n'));
    fclose(in);
}

static inline void sink_tell(struct sink *sink, const char *order)
{
    char answer[64];

    sink_ask(sink, order, answer, sizeof answer);
}

/* "connections" (attempts), "behind" (envelopes right behind a final dot) ...; since the sink began. */
static inline int sink_count(struct sink *sink, const char *what)
{
    char answer[16 * 1024], key[40];

    sink_ask(sink, "{\"op\": \"counts\"}", answer, sizeof answer);
    snprintf(key, sizeof key, "\"%s\": ", what);
    const char *at = strstr(answer, key);
    assert_non_null(at);
    return atoi(at + strlen(key));
}

#endif
