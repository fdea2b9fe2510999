/* channel_kept.c - a reload does not cost a channel its connections when nothing of its own has changed: what it has in
 * its hands comes home, and it goes on under the new settings. */
#include "channel_private.h"

bool channel_could_serve(const struct channel *channel, const struct channel_plugin *plugin, const void *state)
{
    return channel->notifier == plugin->notifier && channel_plugin_same(channel->notifier, channel->asked, state) &&
           !channel->troubled && channel->breaker.state == BREAKER_CLOSED;
}

void channel_keep(struct channel *channel, int64_t grace_ms)
{
    if (channel->stopping)
        return;
    channel->kept = true;
    channel_stop_soon(channel, grace_ms);
    for (struct channel_job *job = channel->jobs.all; job && channel->notifier->call_back; job = job->next_all)
        if (job->state == JOB_BEGUN)
            channel->notifier->call_back(channel->state, &job->out);
}

bool channel_is_kept(const struct channel *channel)
{
    return channel->kept && channel_in_flight(channel) == 0 && channel->out == 0;
}

void channel_go_on(struct channel *channel, const struct channel_settings *settings,
                   const struct channel_events *events)
{
    uv_timer_stop(&channel->grace);
    channel->kept = channel->stopping = false;
    channel->probe_claimed = false;
    channel->settings = settings;
    channel->events = *events;
    channel_set_limits(channel);
}
