#include "dns.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_MAX = 64 * 1024, WAIT_S = 3, TRIES = 2 };

/* The parts of one record, each behind its length (RFC 1035 section 3.3.14). */
static const char *join_parts(struct text parts, struct arena *arena)
{
    char *joined = arena_alloc(arena, parts.len + 1), *end = joined;

    while (parts.len > 0) {
        size_t len = (unsigned char)parts.ptr[0];
        if (len > parts.len - 1)
            return NULL;
        end = (char *)mempcpy(end, parts.ptr + 1, len);
        parts = text_slice(parts, 1 + len, parts.len);
    }
    return joined;
}

int dns_parse_txt(const unsigned char *answer, size_t size, struct arena *arena, struct dns_texts *out,
                  struct error *err)
{
    ns_msg message;
    ns_rr record;

    *out = (struct dns_texts){0};
    if (size > ANSWER_MAX || ns_initparse(answer, (int)size, &message) < 0)
        return error_set(err, ERROR_TRY_LATER, "the name server's answer cannot be read");
    for (int i = 0; i < ns_msg_count(message, ns_s_an) && out->count < DNS_TEXTS_MAX; i++) {
        if (ns_parserr(&message, ns_s_an, i, &record) < 0)
            return error_set(err, ERROR_TRY_LATER, "the name server's answer cannot be read");
        if (ns_rr_type(record) != ns_t_txt || ns_rr_class(record) != ns_c_in)
            continue; /* a CNAME on the way */
        const char *text = join_parts((struct text){(const char *)ns_rr_rdata(record), ns_rr_rdlen(record)}, arena);
        if (!text)
            return error_set(err, ERROR_TRY_LATER, "the name server's answer has a broken TXT record");
        out->at[out->count++] = text;
    }
    return 0;
}

int dns_txt(const char *name, struct arena *arena, struct dns_texts *out, struct error *err)
{
    auto_free unsigned char *answer = must_calloc(1, ANSWER_MAX);
    struct __res_state state = {0};

    *out = (struct dns_texts){0};
    if (res_ninit(&state) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s: no name server is configured", name);
    state.retrans = WAIT_S;
    state.retry = TRIES;
    if (state.nscount > 2)
        state.nscount = 2; /* a third one would be a third wait */
    int size = res_nquery(&state, name, ns_c_in, ns_t_txt, answer, ANSWER_MAX);
    int why = state.res_h_errno;
    res_nclose(&state);
    if (size >= 0)
        return dns_parse_txt(answer, (size_t)size, arena, out, err) < 0 ? error_at(err, "%s", name) : 0;
    if (why == HOST_NOT_FOUND || why == NO_DATA)
        return 0;
    return error_set(err, ERROR_TRY_LATER, "%s: no name server answered", name);
}

const char *dns_find(const struct dns_texts *texts, const char *tag, bool *twice)
{
    const char *found = NULL;
    size_t len = strlen(tag);

    *twice = false;
    for (size_t i = 0; i < texts->count; i++) {
        const char *text = texts->at[i];
        if (strncasecmp(text, tag, len) != 0 || (text[len] && text[len] != ' ' && text[len] != ';'))
            continue;
        *twice = found != NULL;
        found = text;
    }
    return found;
}
