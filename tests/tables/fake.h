/* fake.h - one of tests/fakes beside a table: a program that says "listening PORT" first, and ends with us. */
#ifndef ONSALE_FAKE_H
#define ONSALE_FAKE_H

#include "table.h"
#include "text.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct fake {
    pid_t pid;
    int port;
};

/* `command` is a line of sh, run in the folder of the fakes; its last program wants an exec. Gives what it says behind
 * the port, to be closed. */
static inline FILE *fake_open(struct fake *fake, const char *command)
{
    auto_free char *line = NULL;
    int ends[2];

    if (asprintf(&line, "cd '%s/tests/fakes' && %s", getenv("ONSALE_SOURCE"), command) < 0 ||
        pipe2(ends, O_CLOEXEC) < 0)
        abort();
    fake->pid = fork();
    if (fake->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", line, NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (fscanf(out, "listening %d", &fake->port) != 1)
        fail_msg("%s: did not start", command);
    return out;
}

static inline void fake_start(struct fake *fake, const char *command)
{
    fclose(fake_open(fake, command));
}

static inline void fake_stop(const struct fake *fake)
{
    kill(fake->pid, SIGKILL);
    waitpid(fake->pid, NULL, 0);
}

#endif
