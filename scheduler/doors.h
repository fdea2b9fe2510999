/* doors.h - where people and programs come in: the HTTP server and what stands behind each path. Loop thread. */
#ifndef ONSALE_DOORS_H
#define ONSALE_DOORS_H

#include "settings.h"
#include "world.h"

struct doors;

/* `handed`: how many sockets the service manager handed over (notify.h). */
struct doors *doors_open(uv_loop_t *loop, const struct http_settings *http, size_t handed, struct world *world,
                         struct error *err);
/* After a reload: tokens are as configured now; what is listened on stays. */
void doors_reload(struct doors *doors, const struct http_settings *http);
/* Whether a reload asks for other sockets or limits than the doors were opened with: they stay until a restart. */
bool doors_differ(const struct http_settings *opened, const struct http_settings *next);
void doors_close(struct doors *doors); /* NULL is fine */

#endif
