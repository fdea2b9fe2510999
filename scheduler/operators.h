/* operators.h - mails to the people who run this: held, missed, stalled, done. They leave through a notifier like any
 * other message, outside the ledger. Loop thread. */
#ifndef ONSALE_OPERATORS_H
#define ONSALE_OPERATORS_H

#include "channel.h"
#include "crypt_token.h"
#include "outside.h"

struct operators;

/* `from`: the notifier's own From. Borrows everything. */
struct operators *operators_new(const struct config_list *addresses, struct outside *outside, struct channel *channel,
                                const char *from, struct crypt_tokens *tokens, const struct clock *clock,
                                struct log *log, struct error *err);
void operators_free(struct operators *operators);

/* Written at once to every operator; what cannot be written is logged. */
void operators_tell(void *operators, const char *subject, const char *body);

#endif
