/* notify.h - a word to the service manager (sd_notify(3)): one datagram to $NOTIFY_SOCKET. Without one, nothing. And
 * what it hands over: sockets that listen already (sd_listen_fds(3)). */
#ifndef ONSALE_NOTIFY_H
#define ONSALE_NOTIFY_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

enum { NOTIFY_FIRST_SOCKET = 3 };

void notify_send(const char *format, ...) PRINTF_LIKE(1, 2); /* "READY=1", "STATUS=...", "WATCHDOG=1" */
int64_t notify_watchdog_ms(void); /* how often WATCHDOG=1 is wanted (half of WATCHDOG_USEC); 0 never */
/* How many descriptors from NOTIFY_FIRST_SOCKET on were handed over to this process; they are closed on exec from now
 * on. Once, before anything is opened and any thread runs: the variables are taken out of the environment. */
size_t notify_take_sockets(void);

#endif
