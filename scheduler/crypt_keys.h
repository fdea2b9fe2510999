/* crypt_keys.h - the keys that lie beside the database, not in it: a file of mode 0600 with one key a line, made at
 * first start. It belongs to a backup: without it links in old mails stop working and people cannot be recognised. */
#ifndef ONSALE_CRYPT_KEYS_H
#define ONSALE_CRYPT_KEYS_H

#include "crypt.h"

enum {
    PERSON_KEY_SIZE = 16,
    CRYPT_UNSUBSCRIBE_KEY_SIZE = 64,
    CRYPT_UNSUBSCRIBE_ID_MAX = 255,
    CRYPT_KEYS_MARK_SIZE = 33,
};

struct crypt_unsubscribe_key {
    unsigned char id; /* 1 to 255; the highest seals, all of them open */
    unsigned char bytes[CRYPT_UNSUBSCRIBE_KEY_SIZE];
};

struct crypt_keys {
    unsigned char person[CRYPT_KEY_SIZE];     /* hashes of addresses */
    unsigned char message_id[CRYPT_KEY_SIZE]; /* Message-ID and VERP tokens */
    struct crypt_unsubscribe_key unsubscribe[CRYPT_UNSUBSCRIBE_ID_MAX];
    size_t unsubscribe_count; /* 0 only when the file is of an earlier version and was not completed */
};

/* `complete` is for the daemon: a file that is missing is made, and one that lacks the unsubscribe key gets one, its
 * other lines byte for byte. Both at once or not at all, also when two programs start together. A command never writes.
 */
int crypt_keys_load(const char *path, bool complete, struct crypt_keys *out, struct error *err);

/* The first 16 bytes of a keyed hash over the normal form of an address. */
void crypt_person_key(const struct crypt_keys *keys, const char *address_key, unsigned char out[PERSON_KEY_SIZE]);

/* Tells by which keys a state was made, and nothing of them: a hash of those two that can never change. */
void crypt_keys_mark(const struct crypt_keys *keys, char out[CRYPT_KEYS_MARK_SIZE]);

#endif
