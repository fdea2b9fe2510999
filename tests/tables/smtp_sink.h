/* smtp_sink.h - tests/fakes/smtp_sink.py, a mail server that does as told, beside a table of rules. */
#ifndef ONSALE_SMTP_SINK_H
#define ONSALE_SMTP_SINK_H

#include "table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum sink_way { PLAIN, STARTTLS, SMTPS };

struct sink {
    pid_t pid;
    int port, control;
    FILE *log; /* read from where the last look ended */
};

/* Its log lies in `place`, and there its certificate is found. */
static inline void sink_start(struct sink *sink, const char *place, enum sink_way way)
{
    static const char *const names[] = {"plain", "tls", "tls_at_once"};
    char script[400], log[200], cert[200], key[200], line[64];
    int out[2];
    const char *arguments[16] = {"python3", script, "--log", log};

    snprintf(script, sizeof script, "%s/tests/fakes/smtp_sink.py", getenv("ONSALE_SOURCE"));
    snprintf(log, sizeof log, "%s/%s.log", place, names[way]);
    snprintf(cert, sizeof cert, "%s/server.pem", place);
    snprintf(key, sizeof key, "%s/server.key", place);
    if (way != PLAIN) {
        arguments[4] = "--cert";
        arguments[5] = cert;
        arguments[6] = "--key";
        arguments[7] = key;
        arguments[8] = way == SMTPS ? "--smtps" : NULL;
    }
    fclose(fopen(log, "w"));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    sink->pid = fork();
    if (sink->pid == 0) {
        dup2(out[1], 1);
        execvp("python3", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(out[1]);
    FILE *ready = fdopen(out[0], "r");
    assert_non_null(fgets(line, sizeof line, ready));
    assert_int_equal(sscanf(line, "listening %d", &sink->port), 1);
    assert_non_null(fgets(line, sizeof line, ready));
    assert_int_equal(sscanf(line, "control %d", &sink->control), 1);
    fclose(ready);
    sink->log = fopen(log, "r");
}

static inline void sink_stop(struct sink *sink)
{
    kill(sink->pid, SIGKILL);
    waitpid(sink->pid, NULL, 0);
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
