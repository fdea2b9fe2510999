/* origin.h - network addresses: read, written, put into networks, and found behind reverse proxies. Pure. */
#ifndef ONSALE_ORIGIN_H
#define ONSALE_ORIGIN_H

#include "text.h"

enum { ORIGIN_TEXT_SIZE = 48 };

struct origin { /* IPv4 as ::ffff:192.0.2.1 */
    unsigned char bytes[16];
};
struct origin_net {
    struct origin base;
    unsigned bits; /* of the 128 */
};

/* "192.0.2.1", "2001:db8::1"; also with brackets and a port behind, as some proxies write: "[2001:db8::1]:443". */
int origin_read(struct text t, struct origin *out);
void origin_write(const struct origin *origin, char out[ORIGIN_TEXT_SIZE]);
bool origin_equal(const struct origin *a, const struct origin *b);
/* Whom limits count as one: an IPv4 address, or the /64 of an IPv6 address, which is one customer's. */
struct origin origin_group(const struct origin *origin);

/* "192.0.2.0/24", "2001:db8::/32", or one address. */
int origin_net_read(struct text t, struct origin_net *out, struct error *err);
extern const struct origin_net origin_loopback[2]; /* 127.0.0.0/8 and ::1 */
bool origin_within(const struct origin *origin, const struct origin_net *nets, size_t count);

struct sockaddr;
int origin_of_socket(const struct sockaddr *address, struct origin *out); /* -1: neither IPv4 nor IPv6 */
/* Somewhere on the public internet: not this machine, not its networks, not the metadata service of a cloud, no
 * address that stands for one of these (IPv4 within IPv6: mapped, NAT64, 6to4), and nothing that is reserved. */
bool origin_is_public(const struct origin *origin);

/* Who spoke to the outermost of our own proxies. `peer` is who spoke to us, itself a proxy; `forwarded` the values of
 * X-Forwarded-For in their order, joined by commas. Each proxy adds whom it heard at the right end: the rightmost entry
 * that is no proxy counts, and nothing left of it or of garbage is believed. */
struct origin origin_behind(const struct origin *peer, struct text forwarded, const struct origin_net *proxies,
                            size_t proxy_count);

#endif
