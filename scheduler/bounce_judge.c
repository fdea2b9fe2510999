/* bounce_judge.c - from a status and a sentence to whose fault it is. Statuses: RFC 3463 and its registry; the words
 * are those of the big receivers and the common mail servers, kept as data. */
#include "bounce.h"

#include <ctype.h>
#include <string.h>

enum { SAID_MAX = 4096 };

/* --- Numbers -------------------------------------------------------------------------------------------------------
 */

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c);
}

/* One to three digits at *at. */
static bool read_number(struct text t, size_t *at, int *out)
{
    size_t from = *at;

    for (*out = 0; *at < t.len && *at - from < 3 && isdigit((unsigned char)t.ptr[*at]); ++*at)
        *out = *out * 10 + (t.ptr[*at] - '0');
    return *at > from;
}

/* "5.1.1" at i, and no more of a number around it: 5.9.11.2 is a host. */
static bool status_at(struct text t, size_t i, struct bounce_status *out)
{
    if (!strchr("245", t.ptr[i]) || !t.ptr[i] || i + 4 >= t.len || t.ptr[i + 1] != '.' ||
        (i > 0 && (is_word_char(t.ptr[i - 1]) || t.ptr[i - 1] == '.')))
        return false;
    out->class = t.ptr[i] - '0';
    i += 2;
    if (!read_number(t, &i, &out->subject) || i + 1 >= t.len || t.ptr[i++] != '.' || !read_number(t, &i, &out->detail))
        return false;
    if (i < t.len && is_word_char(t.ptr[i]))
        return false;
    return !(i + 1 < t.len && t.ptr[i] == '.' && isdigit((unsigned char)t.ptr[i + 1]));
}

struct bounce_status bounce_status_in(struct text t)
{
    struct bounce_status status = {0};

    for (size_t i = 0; i < t.len; i++)
        if (status_at(t, i, &status))
            return status;
    return (struct bounce_status){0};
}

int bounce_code_in(struct text t)
{
    for (size_t i = 0; i + 2 < t.len; i++) {
        const char *c = t.ptr + i;
        if ((c[0] != '4' && c[0] != '5') || c[1] < '0' || c[1] > '5' || !isdigit((unsigned char)c[2]))
            continue;
        bool begins = i == 0 || isspace((unsigned char)c[-1]) || strchr(":;(#\"'<[", c[-1]);
        bool ends = i + 3 == t.len || isspace((unsigned char)c[3]) || strchr("-:)#,;]\"'", c[3]);
        if (begins && ends)
            return (c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0');
    }
    return 0;
}

/* --- Words ---------------------------------------------------------------------------------------------------------
 */

/* Each is looked for where a word begins. */
static const char *const policy_words[] = {
    "spam",
    "blocked",
    "block list",
    "blocklist",
    "blacklist",
    "black list",
    "denylist",
    "policy",
    "policies",
    "reputation",
    "dmarc",
    "spf",
    "dkim",
    "rbl",
    "dnsbl",
    "listed in",
    "listed at",
    "listed by",
    "listed on",
    "unsolicited",
    "bulk mail",
    "prohibited",
    "virus",
    "malware",
    "phish",
    "unauthenticated",
    "authentication required",
    "sender rejected",
    "sender address rejected",
    "sender verify failed",
    "sender denied",
    "sender not allowed",
    "relaying denied",
    "relay access denied",
    "relay not permitted",
    "relaying not allowed",
    "unable to relay",
    "not permitted to relay",
    "rate limit",
    "too many messages",
    "excessive volume",
    "content rejected",
    "banned",
    "[ph01]",
    "[bl2",
    "[tss0",
    "[tss1",
    NULL,
};

static const char *const full_words[] = {
    "mailbox full",
    "mailbox is full",
    "inbox full",
    "inbox is full",
    "inbox is out of storage",
    "over quota",
    "overquota",
    "quota exceeded",
    "exceeded quota",
    "exceeded storage",
    "exceeds quota",
    "exceeded its quota",
    "out of storage",
    "insufficient storage",
    "quota full",
    NULL,
};

/* There is nobody there. */
static const char *const nobody_words[] = {
    "user unknown",
    "unknown user",
    "no such user",
    "no such mailbox",
    "no such recipient",
    "no such address",
    "no such person",
    "no such account",
    "mailbox unavailable",
    "mailbox not found",
    "mailbox unknown",
    "unknown mailbox",
    "does not exist",
    "doesn't exist",
    "recipient not found",
    "recipient unknown",
    "unknown recipient",
    "user not found",
    "address not found",
    "address unknown",
    "unknown address",
    "unknown local part",
    "unknown or illegal alias",
    "invalid recipient",
    "invalid mailbox",
    "invalid user",
    "not a valid mailbox",
    "not a valid recipient",
    "no mailbox here by that name",
    "not a known user",
    "not our customer",
    "user doesn't have",
    "mailbox is disabled",
    "mailbox disabled",
    "account disabled",
    "account is disabled",
    "account has been disabled",
    "account that you tried to reach is disabled",
    "account is inactive",
    "account inactive",
    "account has been deactivated",
    "no longer in use",
    "no longer accepts mail",
    "address couldn't be found",
    "address you entered couldn't be found",
    "unrouteable address",
    "unroutable address",
    "unknown to this address",
    "adresse unbekannt",
    "benutzer unbekannt",
    "empf\xC3\xA4nger unbekannt",
    "utilisateur inconnu",
    "usuario desconocido",
    "utente sconosciuto",
    NULL,
};

/* So clear that any permanent reply will do (Yahoo says 552 and 554). */
static const char *const clear_words[] = {
    "user doesn't have", "mailbox not found", "mailbox is disabled", "no such user", "user unknown", NULL,
};

static bool is_host_char(char c)
{
    return is_word_char(c) || c == '.' || c == '-' || c == '_';
}

/* Names of hosts and addresses say nothing: mx.antispam.example is not a word about spam. */
static size_t skip_name(struct text t, size_t i)
{
    size_t end = i;
    bool at = false, dot = false, letter = false;

    while (end < t.len && (is_host_char(t.ptr[end]) || strchr("@+=%/~!#$&*?^`{|}", t.ptr[end])) && t.ptr[end]) {
        at |= t.ptr[end] == '@';
        letter |= isalpha((unsigned char)t.ptr[end]) != 0;
        dot |= t.ptr[end] == '.' && end > i && end + 1 < t.len && is_word_char(t.ptr[end - 1]) &&
               is_word_char(t.ptr[end + 1]);
        end++;
    }
    return at || (dot && letter) ? end : i;
}

/* Lower-case, one blank between words, without names; typographic apostrophes are plain. */
static struct text words_of(struct text said, char out[SAID_MAX + 1])
{
    size_t len = 0;
    bool fresh = true; /* a word may begin here */

    for (size_t i = 0; i < said.len && len < SAID_MAX;) {
        size_t past = fresh ? skip_name(said, i) : i;
        if (past > i) {
            out[len++] = '_';
            i = past;
            fresh = false;
            continue;
        }
        unsigned char c = (unsigned char)said.ptr[i];
        if (text_starts(text_slice(said, i, said.len), "\xE2\x80\x99")) {
            out[len++] = '\'';
            i += 3;
            fresh = false;
            continue;
        }
        fresh = c <= ' ' || strchr("<>()[]{},;:\"'", c) != NULL;
        if (c <= ' ')
            c = ' ';
        if (c != ' ' || (len > 0 && out[len - 1] != ' '))
            out[len++] = (char)tolower(c);
        i++;
    }
    out[len] = '\0';
    return (struct text){out, len};
}

static bool has_one_of(struct text words, const char *const *list)
{
    for (; *list; list++)
        for (const char *at = words.ptr; (at = strstr(at, *list)); at++)
            if (at == words.ptr || !is_word_char(at[-1]))
                return true;
    return false;
}

bool bounce_says(struct text t)
{
    char room[SAID_MAX + 1];
    struct text words = words_of(t, room);

    return has_one_of(words, policy_words) || has_one_of(words, nobody_words) || has_one_of(words, full_words);
}

/* --- Judging -------------------------------------------------------------------------------------------------------
 */

static bool is(struct bounce_status s, int subject, int detail)
{
    return s.class == 5 && s.subject == subject && s.detail == detail;
}

/* About us or our message; 5.1.7 and 5.1.8 are about the sender's address. */
static bool is_policy(struct bounce_status s)
{
    return (s.class == 5 && (s.subject == 7 || s.subject == 6)) || is(s, 3, 4) || is(s, 2, 3) || is(s, 1, 7) ||
           is(s, 1, 8);
}

static bool is_nobody(struct bounce_status s)
{
    return is(s, 1, 0) || is(s, 1, 1) || is(s, 1, 2) || is(s, 1, 3) || is(s, 1, 6) || is(s, 1, 10) || is(s, 2, 1);
}

static bool says_nothing(struct bounce_status s)
{
    return s.class == 0 || (s.subject == 0 && s.detail == 0);
}

/* Status 5.0.0 is written where none was given; the other side's own word is better, when it is of the same class. */
static struct bounce_status better(struct bounce_status field, struct bounce_status said)
{
    if (field.class == 0 || (says_nothing(field) && said.class == field.class))
        return said;
    return field;
}

static enum feedback judge_words(struct bounce_status status, int code, struct text words)
{
    bool fits = status.class == 5 || code == 0 || code == 550 || code == 551 || code == 553;

    if (has_one_of(words, nobody_words) && fits)
        return FEEDBACK_HARD;
    return has_one_of(words, clear_words) && code / 100 == 5 ? FEEDBACK_HARD : FEEDBACK_SOFT;
}

enum feedback bounce_judge(struct bounce_status field, struct text said, char out[BOUNCE_STATUS_MAX])
{
    char room[SAID_MAX + 1];
    struct text words = words_of(said, room);
    struct bounce_status answered = bounce_status_in(said), status = better(field, answered);
    int code = bounce_code_in(said);

    out[0] = '\0';
    if (status.class)
        snprintf(out, BOUNCE_STATUS_MAX, "%d.%d.%d", status.class, status.subject, status.detail);
    if (is_policy(answered) && !is_policy(status)) /* what decided is what is shown */
        snprintf(out, BOUNCE_STATUS_MAX, "%d.%d.%d", answered.class, answered.subject, answered.detail);
    if (is_policy(field) || is_policy(answered))
        return FEEDBACK_POLICY;
    if (status.class == 4 || (status.class == 0 && code / 100 == 4))
        return FEEDBACK_SOFT;
    if (has_one_of(words, policy_words))
        return FEEDBACK_POLICY;
    if (status.class == 2 || code / 100 == 4 || has_one_of(words, full_words))
        return FEEDBACK_SOFT;
    if (is_nobody(status))
        return FEEDBACK_HARD;
    return says_nothing(status) ? judge_words(status, code, words) : FEEDBACK_SOFT;
}
