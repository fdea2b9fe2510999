/* scrub.h - what others say, without addresses: mail servers, marketing tools and plugins repeat the address they were
 * asked about, and their words are kept, shown and mailed. Pure. */
#ifndef ONSALE_SCRUB_H
#define ONSALE_SCRUB_H

/* A copy for free() in which "***" stands for `address` (NULL or "": nobody's), for its local part alone, and for
 * whatever else looks like an address, however it is written: upper case, quoted, percent-encoded. Rather too much is
 * taken than too little. NULL for NULL. */
char *scrub(const char *text, const char *address);

#endif
