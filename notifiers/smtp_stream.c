#include "smtp_stream.h"

#include <stddef.h>

bool smtp_stream_may(const struct smtp_stream *stream, const void *conn, bool late)
{
    if (stream->asked != SMTP_AUTO)
        return stream->asked == SMTP_STREAM;
    if (stream->broken || stream->proven)
        return !stream->broken;
    return !late && (!stream->trial || stream->trial == conn);
}

void smtp_stream_begun(struct smtp_stream *stream, const void *conn)
{
    if (!stream->proven)
        stream->trial = conn;
}

void smtp_stream_worked(struct smtp_stream *stream, const void *conn)
{
    if (stream->trial == conn)
        stream->trial = NULL;
    stream->proven = true;
    if (++stream->good < SMTP_FORGIVE_AFTER)
        return;
    stream->good = 0;
    stream->breaks -= stream->breaks > 0;
}

bool smtp_stream_broke(struct smtp_stream *stream, const void *conn)
{
    if (stream->asked != SMTP_AUTO || stream->broken)
        return false;
    if (!stream->proven && stream->trial != conn)
        return false; /* several at one moment: one break */
    stream->proven = false;
    stream->trial = NULL;
    stream->good = 0;
    stream->broken = ++stream->breaks >= SMTP_BREAKS_MAX;
    if (stream->broken)
        stream->patience = stream->patience == 0                  ? SMTP_PATIENCE
                           : stream->patience < SMTP_PATIENCE_MAX ? 2 * stream->patience
                                                                  : SMTP_PATIENCE_MAX;
    return stream->broken;
}

bool smtp_stream_went_well(struct smtp_stream *stream)
{
    if (!stream->broken || ++stream->good < stream->patience)
        return false;
    stream->broken = false;
    stream->breaks = SMTP_BREAKS_MAX - 1; /* the next one is once too often again */
    stream->good = 0;
    return true;
}

void smtp_stream_gone(struct smtp_stream *stream, const void *conn)
{
    if (stream->trial == conn)
        stream->trial = NULL;
}
