/* A message that came back, piped by a mail server: its exit codes are a mail server's (sysexits.h). */
#include "bounce.h"
#include "cli_report.h"
#include "mail.h"

#include <sysexits.h>

enum { PATIENCE_MS = MINUTE_MS }; /* a daemon that hangs is no reason to hang the mail server's queue */

/* To its end, so that who writes is not cut off; what is kept of it is bounded. -1: it could not be read. */
static int read_message(FILE *in, struct buf *out)
{
    char block[16 * 1024];
    size_t got;

    while ((got = fread(block, 1, sizeof block, in)) > 0) {
        size_t room = out->limit - out->len;
        buf_add(out, block, got < room ? got : room);
    }
    return ferror(in) ? -1 : 0;
}

static void read_bounce(const struct cli *cli, struct text message, struct bounce *out)
{
    /* Postfix local(8) says so; EXTENSION is what stands behind the recipient_delimiter. */
    const char *said[] = {cli->recipient, NULL, NULL, NULL};

    if (!cli->recipient) {
        said[1] = getenv("ORIGINAL_RECIPIENT");
        said[2] = getenv("RECIPIENT");
        said[3] = getenv("EXTENSION");
    }
    bounce_read(message, said, ARRAY_LEN(said), out);
}

static json_t *body_of(const struct bounce *bounce)
{
    json_t *tokens = json_array();

    for (size_t i = 0; i < bounce->token_count; i++)
        json_array_append_new(tokens, json_string(bounce->tokens[i]));
    return json_pack("{s:o, s:s, s:s, s:s}", "tokens", tokens, "kind", feedback_name(bounce->kind), "status",
                     bounce->status, "text", bounce->text);
}

/* What a mail server does about it: 77 tells it to give up, 75 to come again. */
static int give_up(const struct error *err)
{
    cli_fail(err);
    return err->kind == ERROR_REFUSED ? EX_NOPERM : EX_TEMPFAIL;
}

static int hand_in(const struct cli *cli, const struct bounce *bounce, json_t **answer)
{
    struct client client;
    struct error err = {0};

    if (client_open(&client, cli->config, &err) < 0)
        return EX_TEMPFAIL;
    client.timeout_ms = PATIENCE_MS;
    json_t *body = body_of(bounce);
    int rc = client_ask(&client, "POST", "bounces", body, answer, &err);
    json_decref(body);
    client_close(&client);
    if (rc == 1)
        error_set(&err, ERROR_TRY_LATER, "no daemon runs: what came back is not taken yet");
    return rc == 0 ? EXIT_FINE : give_up(&err);
}

static void say(const struct bounce *bounce, const json_t *answer)
{
    printf("%s%s%s: ", feedback_name(bounce->kind), *bounce->status ? " " : "", bounce->status);
    if (!json_is_true(json_object_get(answer, "known")))
        puts("it names nobody we know");
    else
        printf("notice %lld%s%s\n", cli_number(answer, "notice"),
               json_is_true(json_object_get(answer, "stored")) ? "" : ", as was said before",
               json_is_true(json_object_get(answer, "suppressed")) ? "; never written to again" : "");
}

int cli_bounce(const struct cli *cli)
{
    auto_buf struct buf message;
    struct bounce bounce;
    json_t *answer = NULL;
    int rc = EXIT_FINE;

    buf_init(&message, MAIL_LOOK_MAX);
    if (read_message(stdin, &message) < 0) {
        fputs("onsale bounce: standard input could not be read\n", stderr);
        return EX_TEMPFAIL;
    }
    if (text_trim(buf_text(&message)).len == 0) {
        fputs("onsale bounce: there is no message on standard input\n", stderr);
        return EX_DATAERR;
    }
    read_bounce(cli, buf_text(&message), &bounce);
    if (bounce.kind == FEEDBACK_NONE) {
        printf("nothing to do: %s\n", bounce.what);
        return EXIT_FINE;
    }
    if (bounce.token_count > 0)
        rc = hand_in(cli, &bounce, &answer);
    if (rc == EXIT_FINE)
        say(&bounce, answer);
    json_decref(answer);
    return rc;
}
