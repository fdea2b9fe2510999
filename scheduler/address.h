/* address.h - an e-mail address as it may stand on the wire: ASCII local part, A-label domain (IDNA2008 through
 * libidn2). Pure. Errors never repeat the address: it may be a subscriber's. */
#ifndef ONSALE_ADDRESS_H
#define ONSALE_ADDRESS_H

#include "text.h"

enum { ADDRESS_MAX = 254 };
struct address {
    char text[ADDRESS_MAX + 1]; /* local@domain, as given but for the domain: A-labels, lower-cased */
    char key[ADDRESS_MAX + 1];  /* normal form for keys: trimmed, lower-cased */
};
/* Refuses controls, blanks, CR/LF, quotes and source routes, local > 64, domain > 253, total > 254, domains without a
 * dot (but for localhost) and numbers in place of a domain. */
int address_parse(struct text t, struct address *out, struct error *err);
/* "Arena Tickets <tickets@arena.example>" -> name (for free(); "" when there is none) and address. */
int mailbox_parse(struct text t, char **name, struct address *out, struct error *err);
const char *address_domain(const char *address); /* what stands behind the '@'; points into `address` */

#endif
