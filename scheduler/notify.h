/* notify.h - a word to the service manager (sd_notify(3)): one datagram to $NOTIFY_SOCKET. Without one, nothing. */
#ifndef ONSALE_NOTIFY_H
#define ONSALE_NOTIFY_H

#include "error.h"

#include <stdint.h>

void notify_send(const char *format, ...) PRINTF_LIKE(1, 2); /* "READY=1", "STATUS=...", "WATCHDOG=1" */
int64_t notify_watchdog_ms(void); /* how often WATCHDOG=1 is wanted (half of WATCHDOG_USEC); 0 never */

#endif
