/* dns.h - TXT records, for `check --online`: SPF and DMARC of the domains we write from. Blocking, for commands only.
 */
#ifndef ONSALE_DNS_H
#define ONSALE_DNS_H

#include "text.h"

enum { DNS_TEXTS_MAX = 64 };

struct dns_texts {
    const char *at[DNS_TEXTS_MAX]; /* one for each record, its parts joined; in the arena */
    size_t count;
};

/* 0, with none when there is none; -1: nobody answered (ERROR_TRY_LATER). Takes about 10 s at most. */
int dns_txt(const char *name, struct arena *arena, struct dns_texts *out, struct error *err);
/* The TXT records of one answer as it came (RFC 1035 section 4); pure. */
int dns_parse_txt(const unsigned char *answer, size_t size, struct arena *arena, struct dns_texts *out,
                  struct error *err);

/* The one record that begins with `tag` ("v=spf1"). NULL when there is none; *twice: more than one, which receivers
 * take for a fault (RFC 7208 section 4.5, RFC 7489 section 6.6.3). */
const char *dns_find(const struct dns_texts *texts, const char *tag, bool *twice);

#endif
