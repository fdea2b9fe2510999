#include "address.h"

#include <idn2.h>
#include <string.h>

enum { LOCAL_MAX = 64, DOMAIN_MAX = 253, LABEL_MAX = 63 }; /* RFC 5321 section 4.5.3.1, RFC 1035 section 2.3.4 */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_ascii(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((unsigned char)t.ptr[i] >= 0x80)
            return false;
    return true;
}

/* No dot at either end, no two together. */
static bool dots_are_fine(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] == '.' && (i == 0 || i + 1 == t.len || t.ptr[i + 1] == '.'))
            return false;
    return true;
}

static bool is_special(char c) /* of RFC 5322 section 3.2.3, but for '.' and '@' */
{
    switch (c) {
    case '"':
    case '(':
    case ')':
    case ',':
    case ':':
    case ';':
    case '<':
    case '>':
    case '[':
    case '\\':
    case ']':
        return true;
    default:
        return false;
    }
}

static int check_characters(struct text t, struct error *err)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c < ' ' || c == 0x7F)
            return error_set(err, ERROR_REFUSED, "a control character in an address");
        if (c == ' ')
            return error_set(err, ERROR_REFUSED, "a blank in an address");
        if (is_special((char)c))
            return error_set(err, ERROR_REFUSED, "'%c' in an address", c);
    }
    return 0;
}

static int check_local(struct text local, struct error *err)
{
    if (local.len == 0)
        return error_set(err, ERROR_REFUSED, "nothing before the '@' of an address");
    if (!is_ascii(local))
        return error_set(err, ERROR_REFUSED, "letters outside ASCII before the '@' of an address: needs SMTPUTF8");
    if (local.len > LOCAL_MAX)
        return error_set(err, ERROR_REFUSED, "%zu characters before the '@' of an address, at most %d are allowed",
                         local.len, LOCAL_MAX);
    if (!dots_are_fine(local))
        return error_set(err, ERROR_REFUSED, "a dot at an end, or two together, before the '@' of an address");
    return 0; /* what is left are atoms of RFC 5322: check_characters() refused the rest */
}

/* Letters, digits and hyphens, as DNS names of hosts are (RFC 1123 section 2.1). */
static int check_domain(struct text domain, struct error *err)
{
    struct text rest = domain, label = {0};
    bool letters = false;
    size_t labels = 0;

    if (domain.len > DOMAIN_MAX)
        return error_set(err, ERROR_REFUSED, "%zu characters behind the '@' of an address, at most %d are allowed",
                         domain.len, DOMAIN_MAX);
    if (domain.len == 0 || !dots_are_fine(domain))
        return error_set(err, ERROR_REFUSED, "a dot at an end, or two together, behind the '@' of an address");
    for (; rest.len > 0; labels++) {
        label = text_cut(&rest, '.');
        if (label.len > LABEL_MAX)
            return error_set(err, ERROR_REFUSED, "over %d characters between two dots of a domain", LABEL_MAX);
        if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return error_set(err, ERROR_REFUSED, "a hyphen at an end of a part of a domain");
        letters = false;
        for (size_t i = 0; i < label.len; i++) {
            if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
                return error_set(err, ERROR_REFUSED, "'%c' in a domain", label.ptr[i]);
            letters |= label.ptr[i] > '9';
        }
    }
    if (!letters)
        return error_set(err, ERROR_REFUSED, "a number where a domain should end");
    if (labels < 2 && !text_equal_nocase(domain, TEXT("localhost")))
        return error_set(err, ERROR_REFUSED, "a domain without a dot");
    return 0;
}

/* `out` holds DOMAIN_MAX + 1 bytes. */
static int domain_to_ascii(struct text domain, char *out, struct error *err)
{
    auto_free char *copy = NULL;
    uint8_t *loose = NULL, *strict = NULL;
    int rc;

    if (domain.len == 0)
        return error_set(err, ERROR_REFUSED, "nothing behind the '@' of an address");
    if (domain.len > 4 * DOMAIN_MAX)
        return error_set(err, ERROR_REFUSED, "a domain of %zu bytes", domain.len);
    if (is_ascii(domain) && !memmem(domain.ptr, domain.len, "--", 2)) { /* nothing to translate, nothing encoded */
        if (check_domain(domain, err) < 0)
            return -1;
        memcpy(out, domain.ptr, domain.len);
        out[domain.len] = '\0';
        return 0;
    }
    /* With STD3 rules libidn2 2.3.3 drops what they forbid and goes on: only what both ways agree on is a domain. */
    copy = must_calloc(domain.len + 1, 1);
    memcpy(copy, domain.ptr, domain.len);
    rc = idn2_lookup_u8((uint8_t *)copy, &loose, IDN2_NONTRANSITIONAL);
    if (rc == IDN2_OK)
        rc = idn2_lookup_u8((uint8_t *)copy, &strict, IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
    if (rc != IDN2_OK)
        rc = error_set(err, ERROR_REFUSED, "a domain that cannot exist: %s", idn2_strerror(rc));
    else if (strcmp((char *)loose, (char *)strict) != 0)
        rc = error_set(err, ERROR_REFUSED, "a domain that cannot exist: a letter that names of hosts must not have");
    else
        rc = check_domain(text_of((char *)strict), err);
    if (rc == 0)
        strcpy(out, (char *)strict); /* NOLINT(clang-analyzer-core.NonNullParamChecker): set when libidn2 says OK */
    idn2_free(loose);
    idn2_free(strict);
    return rc;
}

static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
}

int address_parse(struct text t, struct address *out, struct error *err)
{
    char domain[DOMAIN_MAX + 1] = "";
    const char *at;

    t = text_trim(t);
    if (t.len == 0)
        return error_set(err, ERROR_REFUSED, "an empty address");
    if (check_characters(t, err) < 0)
        return -1;
    at = memchr(t.ptr, '@', t.len);
    if (!at || memrchr(t.ptr, '@', t.len) != at)
        return error_set(err, ERROR_REFUSED, "expected an address with one '@'");

    struct text local = text_slice(t, 0, (size_t)(at - t.ptr));
    if (check_local(local, err) < 0 || domain_to_ascii(text_slice(t, local.len + 1, t.len), domain, err) < 0)
        return -1;
    if (local.len + 1 + strlen(domain) > ADDRESS_MAX)
        return error_set(err, ERROR_REFUSED, "an address of %zu characters, at most %d are allowed",
                         local.len + 1 + strlen(domain), ADDRESS_MAX);
    lower(domain);
    memcpy(out->text, t.ptr, local.len + 1);
    strcpy(out->text + local.len + 1, domain);
    strcpy(out->key, out->text);
    lower(out->key);
    return 0;
}

/* A phrase of RFC 5322: bare words, or one quoted string. `out` has room for all of it. */
static int read_phrase(struct text phrase, char *out, struct error *err)
{
    bool quoted = phrase.len >= 2 && phrase.ptr[0] == '"' && phrase.ptr[phrase.len - 1] == '"';
    size_t len = 0;

    if (quoted)
        phrase = text_slice(phrase, 1, phrase.len - 1);
    for (size_t i = 0; i < phrase.len; i++) {
        unsigned char c = (unsigned char)phrase.ptr[i];
        if (quoted && c == '\\' && i + 1 < phrase.len)
            c = (unsigned char)phrase.ptr[++i];
        else if (c == '"')
            return error_set(err, ERROR_REFUSED, "a quote inside a name");
        if (c < ' ' || c == 0x7F)
            return error_set(err, ERROR_REFUSED, "a control character in a name");
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return 0;
}

int mailbox_parse(struct text t, char **name, struct address *out, struct error *err)
{
    const char *open;
    auto_free char *read = NULL;
    struct text address, phrase = {0};

    address = t = text_trim(t);
    open = t.len ? memrchr(t.ptr, '<', t.len) : NULL;
    if (open) {
        if (t.ptr[t.len - 1] != '>')
            return error_set(err, ERROR_REFUSED, "expected an address such as Arena Tickets <tickets@arena.example>");
        address = text_slice(t, (size_t)(open - t.ptr) + 1, t.len - 1);
        phrase = text_trim(text_slice(t, 0, (size_t)(open - t.ptr)));
    }
    if (!text_is_utf8(phrase))
        return error_set(err, ERROR_REFUSED, "a name that is not UTF-8");
    read = must_calloc(phrase.len + 1, 1);
    if (read_phrase(phrase, read, err) < 0 || address_parse(address, out, err) < 0)
        return -1;
    *name = read;
    read = NULL;
    return 0;
}

const char *address_domain(const char *address)
{
    const char *at = strrchr(address, '@');

    return at ? at + 1 : address + strlen(address);
}
