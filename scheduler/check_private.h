/* check_private.h - what check.c (what was understood) and check_online.c (what can be reached) share. */
#ifndef ONSALE_CHECK_PRIVATE_H
#define ONSALE_CHECK_PRIVATE_H

#include "check.h"
#include "wire.h"

/* The little of a daemon that plugins, sources and audiences ask for. */
struct check_bench {
    uv_loop_t loop;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct wires *wires;
};
int check_bench_init(struct check_bench *bench, struct error *err);
void check_bench_clear(struct check_bench *bench); /* also after a failure */
struct channel *check_bench_channel(struct check_bench *bench, const struct notifier_settings *notifier,
                                    struct error *err);

#endif
