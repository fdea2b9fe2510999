#include "turns.h"

/* Right behind the callbacks of files and sockets: from there to there is one turn, and what of it the kernel kept us
 * waiting is no work. */
static void on_check(uv_check_t *check)
{
    struct turns *turns = check->data;
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(check->loop);
    int64_t worked_ns = (int64_t)(now_ns - turns->at_ns) - (int64_t)(idle_ns - turns->idle_ns);
    bool first = turns->at_ns == 0; /* it ends the building of everything, for which nobody waited */

    turns->at_ns = now_ns;
    turns->idle_ns = idle_ns;
    if (!first)
        metric_observe(turns->took, worked_ns > 0 ? worked_ns / 1000 : 0);
}

void turns_begin(struct turns *turns, uv_loop_t *loop, struct metrics *metrics)
{
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    *turns = (struct turns){.took = metrics_series(metrics, METRIC_LOOP_TURN, NO_LABELS)};
    uv_check_init(loop, &turns->check);
    turns->check.data = turns;
    uv_check_start(&turns->check, on_check);
    uv_unref((uv_handle_t *)&turns->check);
}

void turns_end(struct turns *turns)
{
    uv_close((uv_handle_t *)&turns->check, NULL);
}
