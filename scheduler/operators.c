#include "operators.h"

#include "mime.h"

#include <string.h>

enum { BODY_MAX = 64 * 1024 };

struct operators {
    const struct config_list *addresses;
    struct outside *outside;
    struct channel *channel;
    struct crypt_tokens *tokens;
    const struct clock *clock;
    struct log *log;
    char *from_name;
    struct address from;
};

struct operators *operators_new(const struct config_list *addresses, struct outside *outside, struct channel *channel,
                                const char *from, struct crypt_tokens *tokens, const struct clock *clock,
                                struct log *log, struct error *err)
{
    struct operators *operators = must_calloc(1, sizeof *operators);

    operators->addresses = addresses;
    operators->outside = outside;
    operators->channel = channel;
    operators->tokens = tokens;
    operators->clock = clock;
    operators->log = log;
    if (mailbox_parse(text_of(from), &operators->from_name, &operators->from, err) < 0) {
        operators_free(operators);
        return NULL;
    }
    return operators;
}

void operators_free(struct operators *operators)
{
    if (!operators)
        return;
    free(operators->from_name);
    free(operators);
}

/* The log outlives every letter; operators may not. */
static void on_answer(void *log, const struct channel_result *result)
{
    if (result && result->fate != FATE_ACCEPTED)
        log_line(log, LOG_WARNING, "event=operator_not_told fate=%s code=%d text=%s",
                 LOG_QUOTED(text_of(fate_name(result->fate))), result->code, LOG_QUOTED(text_of(result->text)));
}

static int tell_one(struct operators *operators, const char *to, const char *subject, const char *body,
                    struct error *err)
{
    struct address address;
    char token[MESSAGE_TOKEN_SIZE], message_id[ADDRESS_MAX + 32];
    struct buf raw;

    if (address_parse(text_of(to), &address, err) < 0)
        return -1;
    crypt_message_token(operators->tokens, 0, crypt_random_seq(), token);
    snprintf(message_id, sizeof message_id, "%s@%s", token, strchr(operators->from.text, '@') + 1);
    struct mime_message message = {
        .from_name = operators->from_name,
        .from_address = operators->from.text,
        .to_address = address.text,
        .subject = text_of(subject),
        .message_id = message_id,
        .date_ms = clock_now_ms(operators->clock),
        .text = text_of(body),
    };
    buf_init(&raw, BODY_MAX);
    if (mime_build(&message, &raw, err) < 0) {
        buf_clear(&raw);
        return -1;
    }
    struct channel_delivery delivery = {.to = address.text, .from = operators->from.text, .token = token, .raw = raw};
    outside_send(operators->outside, operators->channel, &delivery, on_answer, operators->log);
    return 0;
}

void operators_tell(void *ctx, const char *subject, const char *body)
{
    struct operators *operators = ctx;
    char line[256];

    snprintf(line, sizeof line, "[onsale] %s", subject);
    for (size_t i = 0; i < operators->addresses->count; i++) {
        struct error err = {0};
        if (tell_one(operators, operators->addresses->at[i], line, body, &err) < 0)
            log_line(operators->log, LOG_WARNING, "event=operator_not_told number=%zu error=%s", i + 1,
                     LOG_QUOTED(text_of(err.text)));
    }
}
