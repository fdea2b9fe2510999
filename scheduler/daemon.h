/* daemon.h - `onsale run`: builds the parts, introduces neighbours, runs the loop, closes in reverse. */
#ifndef ONSALE_DAEMON_H
#define ONSALE_DAEMON_H

#include "log.h"

struct daemon_options {
    const char *config_path;
    enum log_level level;
};

/* Runs until SIGTERM or SIGINT; SIGHUP reloads. Returns the exit code: 0, 1 failed, 3 configuration. */
int daemon_run(const struct daemon_options *options);

#endif
