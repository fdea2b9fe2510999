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
/* What a file asks for other than the doors were opened with, which stays until a restart: "http.rate is 50 in 1s and
 * not 90 in 1s"; adds nothing when it asks for the same. */
void doors_add_waiting(const struct doors *doors, const struct http_settings *next, struct buf *out);
void doors_close(struct doors *doors); /* NULL is fine */

#endif
