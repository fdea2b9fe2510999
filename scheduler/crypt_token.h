/* crypt_token.h - what leaves the house and comes back, readable by us alone: unsubscribe links and message tokens. One
 * thread at a time. */
#ifndef ONSALE_CRYPT_TOKEN_H
#define ONSALE_CRYPT_TOKEN_H

#include "crypt_keys.h"

enum {
    MESSAGE_TOKEN_SIZE = 27,        /* with the NUL */
    TICKET_FIELD_MAX = 255,         /* bytes of one text of a ticket */
    UNSUBSCRIBE_TOKEN_MAX = 1731,   /* characters, when all five are so long */
    MESSAGE_TOKEN_NUMBER_BITS = 40, /* of a notice, and of a seq */
};

/* Ciphers made from the keys; owned by who holds the keys. */
struct crypt_tokens;
struct crypt_tokens *crypt_tokens_new(const struct crypt_keys *keys, struct error *err);
void crypt_tokens_free(struct crypt_tokens *tokens);

/* Who unsubscribes from what. */
struct unsubscribe_ticket {
    struct text site, audience, source_id, address, language; /* `language` is a locale, may be empty */
};

/* Appends [A-Za-z0-9_-]: base64url (RFC 4648 section 5, no padding) of a version, the key's id, and AES-256-SIV over
 * the ticket with these two as associated data. Good for as long as the key stays in its file. -1: a text is too long.
 * About 1.5 us. */
int crypt_seal(struct crypt_tokens *tokens, const struct unsubscribe_ticket *ticket, struct buf *out);
/* The very text that crypt_seal() wrote with one of our keys: 0, texts live in `arena`. Anything else: -1. */
int crypt_unseal(struct crypt_tokens *tokens, struct text token, struct arena *arena, struct unsubscribe_ticket *out);

/* 26 characters of lower-case base32 (RFC 4648 section 6, no padding) of one AES-256 block of version, notice, seq and
 * zeros; NUL ends. In Message-ID and VERP: what comes back says whom it was about. Notice 0 is none. */
void crypt_message_token(struct crypt_tokens *tokens, int64_t notice, int64_t seq, char out[MESSAGE_TOKEN_SIZE]);
/* -1: not one of ours. Upper case is taken as well: mail servers fold local parts. */
int crypt_message_untoken(struct crypt_tokens *tokens, struct text token, int64_t *notice, int64_t *seq);
/* A seq for a message that is about no person of a notice: no two share a Message-ID. */
int64_t crypt_random_seq(void);

#endif
