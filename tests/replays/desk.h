/* desk.h - what the notifier of the stories (desk.c, a real plugin) asks its driver (postman.c). */
#ifndef ONSALE_REPLAY_DESK_H
#define ONSALE_REPLAY_DESK_H

#include "notifier.h"

struct desk { /* its address stands in the story's configuration, in hexadecimal */
    void (*take)(struct desk *desk, const struct notifier_host *host, struct notifier_delivery *delivery);
    void (*stop)(struct desk *desk, const struct notifier_host *host, bool at_once);
    int64_t (*window)(const struct desk *desk);
};

#endif
