#include "origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static bool is_ipv4(const struct origin *origin)
{
    return memcmp(origin->bytes, mapped, sizeof mapped) == 0;
}

/* An address without brackets and port. */
static int read_bare(struct text t, struct origin *out)
{
    char text[ORIGIN_TEXT_SIZE];

    if (t.len == 0 || t.len >= sizeof text || memchr(t.ptr, '\0', t.len))
        return -1;
    memcpy(text, t.ptr, t.len);
    text[t.len] = '\0';
    *out = (struct origin){0};
    if (memchr(text, ':', t.len))
        return inet_pton(AF_INET6, text, out->bytes) == 1 ? 0 : -1;
    memcpy(out->bytes, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, out->bytes + sizeof mapped) == 1 ? 0 : -1;
}

int origin_read(struct text t, struct origin *out)
{
    struct text rest = t, head;
    int64_t port;

    if (t.len > 0 && t.ptr[0] == '[') {
        rest = text_slice(t, 1, t.len);
        if (!memchr(rest.ptr, ']', rest.len))
            return -1;
        head = text_cut(&rest, ']');
        if (!memchr(head.ptr, ':', head.len) || (rest.len > 0 && rest.ptr[0] != ':'))
            return -1;
        rest = text_slice(rest, 1, rest.len);
        return rest.len > 0 && parse_i64(rest, 0, 65535, &port, NULL) < 0 ? -1 : read_bare(head, out);
    }
    head = text_cut(&rest, ':');
    if (memchr(head.ptr, '.', head.len) && rest.len > 0 && parse_i64(rest, 0, 65535, &port, NULL) == 0)
        return read_bare(head, out);
    return read_bare(t, out);
}

void origin_write(const struct origin *origin, char out[ORIGIN_TEXT_SIZE])
{
    if (is_ipv4(origin))
        inet_ntop(AF_INET, origin->bytes + sizeof mapped, out, ORIGIN_TEXT_SIZE);
    else
        inet_ntop(AF_INET6, origin->bytes, out, ORIGIN_TEXT_SIZE);
}

bool origin_equal(const struct origin *a, const struct origin *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct origin origin_group(const struct origin *origin)
{
    struct origin group = *origin;

    if (!is_ipv4(origin))
        memset(group.bytes + 8, 0, 8);
    return group;
}

/* --- Networks ----------------------------------------------------------------------------------------------------- */

const struct origin_net origin_loopback[2] = {
    {{{[10] = 0xFF, [11] = 0xFF, [12] = 127}}, 104},
    {{{[15] = 1}}, 128},
};

static bool same_bits(const struct origin *a, const struct origin *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a->bytes, b->bytes, whole) == 0 &&
           (rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

int origin_net_read(struct text t, struct origin_net *out, struct error *err)
{
    struct text bits = t, address = text_cut(&bits, '/');
    int64_t count = 0;

    *out = (struct origin_net){.bits = 128};
    if (read_bare(address, &out->base) < 0)
        return error_set(err, ERROR_CONFIG,
                         "expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32, found \"%.*s\"",
                         TEXT_ARGS(text_slice(t, 0, 60)));
    if (address.len == t.len)
        return 0;
    unsigned most = is_ipv4(&out->base) && !memchr(address.ptr, ':', address.len) ? 32 : 128;
    if (parse_i64(bits, 0, most, &count, NULL) < 0)
        return error_set(err, ERROR_CONFIG, "expected 0 to %u bits behind the slash, found \"%.*s\"", most,
                         TEXT_ARGS(text_slice(t, 0, 60)));
    out->bits = 128 - most + (unsigned)count;
    return 0;
}

bool origin_within(const struct origin *origin, const struct origin_net *nets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_bits(origin, &nets[i].base, nets[i].bits))
            return true;
    return false;
}

/* --- The public internet ------------------------------------------------------------------------------------------ */

#define IPV4(a, b, c, d, count)                                                                                        \
    {                                                                                                                  \
        {{[10] = 0xFF, [11] = 0xFF, [12] = (a), [13] = (b), [14] = (c), [15] = (d)}}, 96 + (count)                     \
    }

/* IANA's registries of special-purpose addresses (RFC 6890), what is not globally reachable of them, and multicast. */
static const struct origin_net special_ipv4[] = {
    IPV4(0, 0, 0, 0, 8),        /* this network */
    IPV4(10, 0, 0, 0, 8),       /* private */
    IPV4(100, 64, 0, 0, 10),    /* behind a provider's NAT */
    IPV4(127, 0, 0, 0, 8),      /* loopback */
    IPV4(168, 63, 129, 16, 32), /* in no registry: Azure's own, for every machine there, with its agent's secrets */
    IPV4(169, 254, 0, 0, 16),   /* link-local; clouds answer for metadata there */
    IPV4(172, 16, 0, 0, 12),    /* private */
    IPV4(192, 0, 0, 0, 24),     /* protocols */
    IPV4(192, 0, 2, 0, 24),     /* documentation */
    IPV4(192, 88, 99, 0, 24),   /* relays of 6to4 */
    IPV4(192, 168, 0, 0, 16),   /* private */
    IPV4(198, 18, 0, 0, 15),    /* benchmarks */
    IPV4(198, 51, 100, 0, 24),  /* documentation */
    IPV4(203, 0, 113, 0, 24),   /* documentation */
    IPV4(224, 0, 0, 0, 3),      /* multicast, reserved, broadcast */
};
static const struct origin_net global_ipv6 = {{{0x20}}, 3}; /* all that is given out so far */
static const struct origin_net special_ipv6[] = {
    {{{0x20, 0x01}}, 23},             /* protocols, Teredo among them */
    {{{0x20, 0x01, 0x0D, 0xB8}}, 32}, /* documentation */
    {{{0x3F, 0xFF}}, 20},             /* documentation */
};
static const struct origin_net nat64 = {{{[1] = 0x64, [2] = 0xFF, [3] = 0x9B}}, 96}; /* RFC 6052 */
static const struct origin_net sixtofour = {{{0x20, 0x02}}, 16};                     /* RFC 3056 */

int origin_of_socket(const struct sockaddr *address, struct origin *out)
{
    *out = (struct origin){0};
    if (address->sa_family == AF_INET6) {
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, sizeof out->bytes);
        return 0;
    }
    if (address->sa_family != AF_INET)
        return -1;
    memcpy(out->bytes, mapped, sizeof mapped);
    memcpy(out->bytes + sizeof mapped, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return 0;
}

/* The IPv4 address that an IPv6 address stands for, as bytes from there. */
static struct origin embedded(const struct origin *origin, size_t from)
{
    struct origin out = {0};

    memcpy(out.bytes, mapped, sizeof mapped);
    memcpy(out.bytes + sizeof mapped, origin->bytes + from, 4);
    return out;
}

bool origin_is_public(const struct origin *origin)
{
    struct origin inner = *origin;

    if (origin_within(origin, &nat64, 1))
        inner = embedded(origin, 12);
    else if (origin_within(origin, &sixtofour, 1))
        inner = embedded(origin, 2);
    if (is_ipv4(&inner))
        return !origin_within(&inner, special_ipv4, ARRAY_LEN(special_ipv4));
    return origin_within(origin, &global_ipv6, 1) && !origin_within(origin, special_ipv6, ARRAY_LEN(special_ipv6));
}

/* --- Behind proxies ----------------------------------------------------------------------------------------------- */

/* The part behind the last comma; *rest is what stands before it. */
static struct text cut_last(struct text *rest)
{
    size_t at = rest->len;

    while (at > 0 && rest->ptr[at - 1] != ',')
        at--;
    struct text last = text_slice(*rest, at, rest->len);
    *rest = text_slice(*rest, 0, at > 0 ? at - 1 : 0);
    return last;
}

struct origin origin_behind(const struct origin *peer, struct text forwarded, const struct origin_net *proxies,
                            size_t proxy_count)
{
    struct origin client = *peer, entry;

    while (forwarded.len > 0 && origin_read(text_trim(cut_last(&forwarded)), &entry) == 0) {
        client = entry;
        if (!origin_within(&client, proxies, proxy_count))
            break;
    }
    return client;
}
