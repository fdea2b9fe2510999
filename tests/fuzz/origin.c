/* Four lines: an address, a network, X-Forwarded-For, and the target of a request line. */
#include "origin.h"
#include "target.h"

#include <string.h>

static void try_address(struct text t, struct origin *out)
{
    char written[ORIGIN_TEXT_SIZE];
    struct origin again;

    if (origin_read(t, out) < 0) {
        *out = (struct origin){0};
        return;
    }
    origin_write(out, written);
    if (origin_read(text_of(written), &again) < 0 || !origin_equal(out, &again))
        abort();
    struct origin_net own;
    if (origin_net_read(text_of(written), &own, NULL) < 0 || !origin_within(out, &own, 1))
        abort();
}

static void try_target(struct text t)
{
    auto_free char *raw = text_dup(t);
    struct target target;
    struct error err = {0};
    int rc = target_read(raw, &target, &err);

    if (rc < 0 ? !*err.text
               : !text_is_utf8(text_of(target.path)) || (target.path[0] != '/' && strcmp(target.path, "*") != 0))
        abort();
    if (rc == 0 && (strstr(target.path, "//") || strstr(target.path, "/../") || strchr(target.path, '\\')))
        abort();
    for (size_t i = 0; rc == 0 && i < target.field_count; i++)
        if (!target_field(&target, target.fields[i].name) || strlen(target.fields[i].value) > t.len)
            abort();
    target_clear(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, address = text_cut(&rest, '\n'), network = text_cut(&rest, '\n'),
                forwarded = text_cut(&rest, '\n');
    struct origin_net net = {0};
    struct origin peer, client;
    struct error err = {0};

    try_address(address, &peer);
    if (origin_net_read(network, &net, &err) < 0 && !*err.text)
        abort();
    client = origin_behind(&peer, forwarded, &net, 1);
    if (!memchr(forwarded.len ? forwarded.ptr : "", ',', forwarded.len) && !origin_equal(&client, &peer)) {
        struct origin alone;
        if (origin_read(text_trim(forwarded), &alone) < 0 || !origin_equal(&alone, &client))
            abort();
    }
    try_target(rest);
    return 0;
}
