/* sink_talk.c - what the sink says: commands, messages, its log, and whom it does not take. */
#include "sink_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void copy_between(char *out, size_t size, const char *line, size_t len, char open, char close)
{
    const char *from = memchr(line, open, len);
    const char *to = from ? memchr(from, close, len - (size_t)(from - line)) : NULL;
    size_t n = to ? (size_t)(to - from - 1) : 0;

    if (n >= size)
        n = size - 1;
    if (n > 0)
        memcpy(out, from + 1, n);
    out[n] = '\0';
}

static void log_taken(struct worker *worker, const struct peer *peer, int64_t now_us)
{
    if (worker->lines_room - worker->lines_len < 1024) {
        worker->lines_room = worker->lines_room ? 2 * worker->lines_room : 64 * 1024;
        worker->lines = realloc(worker->lines, worker->lines_room);
        if (!worker->lines)
            abort();
    }
    worker->lines_len += (size_t)snprintf(worker->lines + worker->lines_len, 1024, "%lld %s %s\n",
                                          (long long)(now_us / 1000), peer->to, peer->message_id);
}

/* FNV-1a, and another round of mixing, so that every bit hangs on every letter. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    hash ^= hash >> 32;
    return hash * 0x9e3779b97f4a7c15;
}

/* The recipient's fate: an answer that refuses, or NULL. */
static const char *refuse(struct worker *worker, const char *to)
{
    const struct nastiness *nasty = worker->nasty;
    uint64_t hash = hash_of(to);
    unsigned part = (unsigned)(hash >> 40) % 1000;
    size_t bit = (size_t)hash % MET_BITS;

    if (part < nasty->refuse) {
        worker->refused++;
        return "550 5.1.1 no such mailbox\r\n";
    }
    if (part < nasty->refuse + nasty->defer &&
        !(atomic_fetch_or(&nasty->met[bit / 8], (uint8_t)(1U << bit % 8)) & 1U << bit % 8)) {
        worker->deferred++;
        return "451 4.3.0 come again\r\n";
    }
    return NULL;
}

static bool is_cut(const struct worker *worker, const char *to)
{
    return worker->nasty->cut > 0 && (unsigned)(hash_of(to) >> 20) % 1000 < worker->nasty->cut;
}

static bool take_message(struct worker *worker, struct peer *peer)
{
    int64_t now_us = clock_us(CLOCK_REALTIME);

    peer->place = AT_COMMANDS;
    worker->taken++;
    if (!worker->first_us)
        worker->first_us = now_us;
    worker->last_us = now_us;
    if (worker->log >= 0)
        log_taken(worker, peer, now_us);
    if (is_cut(worker, peer->to)) {
        worker->cut++;
        return false;
    }
    return answer(worker, peer, "250 2.0.0 taken\r\n", worker->delay_us + worker->think_us);
}

static bool is_command(const char *line, size_t len, const char *command)
{
    return len >= 4 && strncasecmp(line, command, 4) == 0;
}

static const char *greet(const struct worker *worker, const struct peer *peer)
{
    if (worker->tls && !peer->secure)
        return "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n";
    return worker->tls
               ? "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES\r\n"
               : "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";
}

static bool take_command(struct worker *worker, struct peer *peer, const char *line, size_t len)
{
    const char *said = "250 2.0.0 ok\r\n", *no;

    if (is_command(line, len, "EHLO")) {
        said = greet(worker, peer);
    } else if (is_command(line, len, "MAIL")) {
        peer->unwanted = false;
    } else if (is_command(line, len, "RCPT")) {
        copy_between(peer->to, sizeof peer->to, line, len, '<', '>');
        no = refuse(worker, peer->to);
        peer->unwanted = no != NULL;
        said = no ? no : said;
    } else if (is_command(line, len, "DATA")) {
        peer->place = peer->unwanted ? AT_COMMANDS : AT_HEADERS;
        peer->message_id[0] = '\0';
        said = peer->unwanted ? "554 5.5.1 no valid recipients\r\n" : "354 go on\r\n";
    } else if (is_command(line, len, "STAR") && worker->tls && !peer->secure) {
        peer->place = AT_HANDSHAKE;
        said = "220 2.0.0 go on\r\n";
    } else if (is_command(line, len, "AUTH")) {
        said = "235 2.7.0 whoever you are\r\n";
    } else if (is_command(line, len, "QUIT")) {
        peer->quit = true;
        said = "221 2.0.0 bye\r\n";
    }
    return answer(worker, peer, said, worker->delay_us);
}

/* One line behind DATA. The empty line stays: the end of the message is looked for from there. */
static bool take_header(struct worker *worker, struct peer *peer, const char *line, size_t len)
{
    if (len == 1 && line[0] == '.')
        return take_message(worker, peer);
    if (len == 0)
        peer->place = AT_BODY;
    else if (len > 11 && strncasecmp(line, "message-id:", 11) == 0)
        copy_between(peer->message_id, sizeof peer->message_id, line, len, '<', '>');
    return true;
}

bool take(struct worker *worker, struct peer *peer)
{
    static const char last[] = "\r\n.\r\n";
    char *at = peer->in, *end = peer->in + peer->in_len, *stop;
    bool fine = true;

    while (fine) {
        if (peer->place == AT_BODY) {
            stop = memmem(at, (size_t)(end - at), last, 5);
            if (!stop) { /* all but what may be the beginning of the end is done with */
                at = end - at > 4 ? end - 4 : at;
                break;
            }
            at = stop + 5;
            fine = take_message(worker, peer);
            continue;
        }
        stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            break;
        size_t len = (size_t)(stop - at);
        if (len > 0 && at[len - 1] == '\r')
            len--;
        fine = (peer->place == AT_COMMANDS ? take_command : take_header)(worker, peer, at, len);
        if (peer->place != AT_BODY)
            at = stop + 1;
        if (peer->place == AT_HANDSHAKE) {
            at = end; /* what came in clear behind STARTTLS is nobody's word: RFC 3207 section 4.2 */
            break;
        }
    }
    peer->in_len = (size_t)(end - at);
    memmove(peer->in, at, peer->in_len);
    return fine && peer->in_len < IN_SIZE;
}
