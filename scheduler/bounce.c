#include "bounce.h"

#include "mail.h"

#include <ctype.h>
#include <string.h>

enum { KNOWN_MAX = 8, GROUPS_MAX = 100, SAID_MAX = 2000, LOOK_MAX = 64 * 1024 };

struct reading {
    struct mail mail;
    struct bounce *out;
    struct text human;            /* the first text for people, up to the copy of our message; its beginning */
    struct text answer;           /* what the other side said, as that text quotes it; "" nothing */
    struct text known[KNOWN_MAX]; /* addresses it is about: for scrubbing, never told */
    size_t known_count;
};

static struct text field(struct reading *r, const char *name)
{
    return mail_field(&r->mail.arena, r->mail.parts[0].headers, name, 0);
}

/* Lower-case, typographic apostrophes plain, line ends and runs of blanks one blank. */
static struct text folded(struct reading *r, struct text t)
{
    t = text_slice(t, 0, LOOK_MAX);
    char *out = arena_copy(&r->mail.arena, t);
    size_t len = 0;

    for (size_t i = 0; i < t.len; i++) {
        if (text_starts(text_slice(t, i, t.len), "\xE2\x80\x99")) {
            out[len++] = '\'';
            i += 2;
            continue;
        }
        char c = (char)tolower((unsigned char)t.ptr[i]);
        if ((unsigned char)c <= ' ')
            c = ' ';
        if (c != ' ' || (len > 0 && out[len - 1] != ' '))
            out[len++] = c;
    }
    out[len] = '\0';
    return text_trim((struct text){out, len});
}

static bool contains(struct text t, const char *what)
{
    return t.len > 0 && memmem(t.ptr, t.len, what, strlen(what));
}

static bool contains_one_of(struct text t, const char *const *list)
{
    for (; *list; list++)
        if (contains(t, *list))
            return true;
    return false;
}

/* --- Tokens ---------------------------------------------------------------------------------------------------------
 */

static bool is_base32(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
}

static void add_token(struct bounce *out, const char *from)
{
    char token[BOUNCE_TOKEN_LEN + 1];

    for (size_t i = 0; i < BOUNCE_TOKEN_LEN; i++)
        token[i] = (char)tolower((unsigned char)from[i]);
    token[BOUNCE_TOKEN_LEN] = '\0';
    for (size_t i = 0; i < out->token_count; i++)
        if (strcmp(out->tokens[i], token) == 0)
            return;
    if (out->token_count < BOUNCE_TOKENS_MAX)
        memcpy(out->tokens[out->token_count++], token, sizeof token);
}

/* Runs of exactly 26 characters of base32; in running text only those that an '@' follows. */
static void add_tokens(struct bounce *out, struct text t, bool running)
{
    for (size_t i = 0; i < t.len && out->token_count < BOUNCE_TOKENS_MAX;) {
        size_t end = i;
        bool fits = true;
        while (end < t.len && isalnum((unsigned char)t.ptr[end]))
            fits &= is_base32(t.ptr[end++]);
        if (end - i == BOUNCE_TOKEN_LEN && fits && (!running || (end < t.len && t.ptr[end] == '@')))
            add_token(out, t.ptr + i);
        i = end + 1;
    }
}

static void add_fields(struct reading *r, struct text headers, const char *const *names)
{
    for (; *names; names++)
        for (size_t i = 0; i < 4; i++)
            add_tokens(r->out, mail_field(&r->mail.arena, headers, *names, i), false);
}

/* From what names our one recipient to what may only quote others. */
static void collect_tokens(struct reading *r, const char *const *recipients, size_t recipient_count)
{
    static const char *const to[] = {
        "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To", NULL};
    static const char *const ours[] = {"Message-ID", "Return-Path", NULL};
    static const char *const reported[] = {"Original-Mail-From", "X-Postfix-Sender", "Original-Envelope-Id", NULL};
    static const char *const answered[] = {"In-Reply-To", "References", NULL};
    struct mail *mail = &r->mail;

    for (size_t i = 0; i < recipient_count; i++)
        if (recipients[i])
            add_tokens(r->out, text_of(recipients[i]), false);
    add_fields(r, mail->parts[0].headers, to);
    for (size_t i = 1; i < mail->count; i++)
        if (mail->parts[i].returned)
            add_fields(r, mail->parts[i].headers, ours);
    for (size_t i = 0; i < mail->count; i++)
        if (!mail->parts[i].returned && text_starts(mail->parts[i].type, "message/"))
            add_fields(r, mail->parts[i].body, reported);
    add_fields(r, mail->parts[0].headers, answered);
    for (size_t i = 0; i < mail->count; i++)
        add_tokens(r->out, mail->parts[i].body, true);
}

/* --- What is told of
 * --------------------------------------------------------------------------------------------------- */

/* "rfc822; ana@fans.example", "<ana@fans.example>" */
static void know(struct reading *r, struct text address)
{
    const char *type_end = address.len ? memchr(address.ptr, ';', address.len) : NULL;

    if (type_end)
        address = text_slice(address, (size_t)(type_end - address.ptr) + 1, address.len);
    address = text_trim(address);
    while (address.len > 0 && strchr("<\"", address.ptr[0]))
        address = text_slice(address, 1, address.len);
    if (address.len > 0 && r->known_count < KNOWN_MAX)
        r->known[r->known_count++] = address;
}

static enum feedback none(struct reading *r, const char *what)
{
    r->out->what = what;
    return FEEDBACK_NONE;
}

static enum feedback tell(struct reading *r, struct bounce_status status, struct text said)
{
    said = text_slice(said, 0, SAID_MAX);
    enum feedback kind = bounce_judge(status, said, r->out->status);
    bounce_scrub(said, r->known, r->known_count, r->out->text);
    return kind;
}

/* --- What stands there for people
 * --------------------------------------------------------------------------------------- */

/* Where the copy of our message begins. */
static const char *const copy_marks[] = {
    "--- Below this line is a copy of the message",
    "------ This is a copy of",
    "------ This is a copy of the message",
    "--- The header of the original message is following",
    "Original message headers:",
    "----- Original message -----",
    "----- Message header follows -----",
    "--- Original message follows",
    "--- Undelivered message follows",
    "Received: ",
};

static struct text before_copy(struct text t)
{
    struct text rest = t;

    while (rest.len > 0) {
        const char *from = rest.ptr;
        struct text line = mail_line(&rest);
        for (size_t i = 0; i < ARRAY_LEN(copy_marks); i++)
            if (text_equal_nocase(text_slice(line, 0, strlen(copy_marks[i])), text_of(copy_marks[i])))
                return (struct text){t.ptr, (size_t)(from - t.ptr)};
    }
    return t;
}

static struct text without_tags(struct arena *arena, struct text html)
{
    char *out = arena_alloc(arena, html.len + 1);
    size_t len = 0;
    bool inside = false;

    for (size_t i = 0; i < html.len; i++) {
        char c = html.ptr[i];
        if (c == '<')
            inside = true;
        if (!inside)
            out[len++] = c;
        if (c == '>' && inside) {
            inside = false;
            out[len++] = ' ';
        }
    }
    return (struct text){out, len};
}

static void find_human_text(struct reading *r)
{
    struct mail *mail = &r->mail;
    struct text html = {0};

    for (size_t i = 0; i < mail->count; i++) {
        struct mail_part *part = &mail->parts[i];
        if (part->returned || text_trim(part->body).len == 0)
            continue;
        if (text_is(part->type, "text/html")) {
            html = html.len ? html : part->body;
        } else if (!text_starts(part->type, "message/")) {
            r->human = before_copy(text_slice(part->body, 0, LOOK_MAX));
            return;
        }
    }
    r->human = without_tags(&mail->arena, text_slice(html, 0, LOOK_MAX));
}

/* The next run of lines that are not blank. */
static struct text next_paragraph(struct text *rest)
{
    struct text out = {0};

    while (rest->len > 0) {
        struct text line = mail_line(rest);
        if (text_trim(line).len == 0) {
            if (out.len > 0)
                return out;
            continue;
        }
        out = out.len ? (struct text){out.ptr, (size_t)(line.ptr - out.ptr) + line.len} : line;
    }
    return out;
}

/* What the other side answered, as the text quotes it: the first paragraph with a status or a reply code, else the
 * first with a word that says something. */
static struct text find_answer(struct text human)
{
    struct text spoken = {0};

    while (human.len > 0) {
        struct text paragraph = next_paragraph(&human);
        if (bounce_status_in(paragraph).class || bounce_code_in(paragraph))
            return paragraph;
        if (!spoken.len && bounce_says(paragraph))
            spoken = paragraph;
    }
    return spoken;
}

/* Whom a paragraph names: "<ana@fans.example>:", "  ana@fans.example". */
static void know_those_in(struct reading *r, struct text t)
{
    for (t = text_slice(t, 0, SAID_MAX); t.len > 0;) {
        struct text word = text_cut(&t, ' ');
        word = text_trim(word);
        if (word.len < 256 && word.len > 0 && memchr(word.ptr, '@', word.len))
            know(r, word);
    }
}

/* --- RFC 5965: a complaint
 * ---------------------------------------------------------------------------------------------- */

static bool feedback_report(struct reading *r, enum feedback *kind)
{
    struct mail *mail = &r->mail;

    for (size_t i = 0; i < mail->count; i++) {
        struct mail_part *part = &mail->parts[i];
        if (part->returned || !text_is(part->type, "message/feedback-report"))
            continue;
        struct text type = folded(r, mail_field(&mail->arena, part->body, "Feedback-Type", 0));
        type = text_trim(text_cut(&type, '('));
        know(r, mail_field(&mail->arena, part->body, "Original-Rcpt-To", 0));
        bounce_scrub(type, NULL, 0, r->out->text);
        if (text_is(type, "not-spam"))
            *kind = none(r, "a report that it is no spam");
        else if (text_is(type, "auth-failure") || text_is(type, "dmarc") || text_is(type, "virus"))
            *kind = FEEDBACK_POLICY;
        else
            *kind = FEEDBACK_COMPLAINT;
        return true;
    }
    for (size_t i = 1; i < mail->count; i++) /* Hotmail before it took to RFC 5965 */
        if (mail->parts[i].returned &&
            mail_field(&mail->arena, mail->parts[i].headers, "X-HmXmrOriginalRecipient", 0).ptr) {
            *kind = FEEDBACK_COMPLAINT;
            return true;
        }
    return false;
}

/* --- RFC 3464: a delivery status
 * ---------------------------------------------------------------------------------------- */

struct group {
    struct text action, diagnostic; /* action: lower-case */
    struct bounce_status status;
    bool is_about_someone;
};

/* "smtp; 550 5.1.1 ..." -> what stands behind the type. */
static struct text behind_type(struct text t)
{
    struct text rest = t, type = text_trim(text_cut(&rest, ';'));

    if (rest.len == 0 || type.len == 0 || type.len > 20)
        return t;
    for (size_t i = 0; i < type.len; i++)
        if (!isalnum((unsigned char)type.ptr[i]) && type.ptr[i] != '-')
            return t;
    return text_trim(rest);
}

static struct group read_group(struct reading *r, struct text block)
{
    struct arena *arena = &r->mail.arena;
    struct group group = {0};
    struct text name, value;

    while (mail_next_field(&block, &name, &value)) {
        if (text_equal_nocase(name, TEXT("Final-Recipient")) || text_equal_nocase(name, TEXT("Original-Recipient"))) {
            know(r, mail_unfold(arena, value));
            group.is_about_someone = true;
        } else if (text_equal_nocase(name, TEXT("Action"))) {
            struct text action = folded(r, mail_unfold(arena, value));
            while (action.len > 0 && action.ptr[0] == '(') { /* a comment before the word */
                text_cut(&action, ')');
                action = text_trim(action);
            }
            action = text_trim(text_cut(&action, '('));
            group.action = text_cut(&action, ' ');
            group.is_about_someone = true;
        } else if (text_equal_nocase(name, TEXT("Status"))) {
            group.status = bounce_status_in(mail_unfold(arena, value));
            group.is_about_someone = true;
        } else if (text_equal_nocase(name, TEXT("Diagnostic-Code"))) {
            group.diagnostic = behind_type(mail_unfold(arena, value));
        }
    }
    return group;
}

static enum feedback judge_group(struct reading *r, const struct group *group)
{
    static const struct {
        const char *action, *what;
    } others[] = {
        {"delayed", "delivery is delayed, and goes on"},
        {"delivered", "it was delivered"},
        {"relayed", "it was relayed"},
        {"expanded", "it was delivered to a list"},
    };
    struct text said = group->diagnostic.len ? group->diagnostic : r->answer;

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (text_is(group->action, others[i].action))
            return none(r, others[i].what);
    if (group->action.len == 0 && group->status.class == 2)
        return none(r, "it was delivered");
    return tell(r, group->status, said);
}

/* What is the least for the person: our message had one recipient, and who else stands here is whom they pass it on to.
 */
static int weight(enum feedback kind)
{
    static const int weights[FEEDBACKS] = {
        [FEEDBACK_NONE] = 0, [FEEDBACK_POLICY] = 1, [FEEDBACK_SOFT] = 2, [FEEDBACK_HARD] = 3, [FEEDBACK_COMPLAINT] = 4};
    return weights[kind];
}

static bool delivery_status(struct reading *r, enum feedback *kind)
{
    struct mail *mail = &r->mail;
    struct bounce least = *r->out;
    bool found = false;
    size_t groups = 0;

    for (size_t i = 0; i < mail->count; i++) {
        struct text type = mail->parts[i].type, rest = mail->parts[i].body;
        if (mail->parts[i].returned ||
            !(text_is(type, "message/delivery-status") || text_is(type, "message/global-delivery-status")))
            continue;
        while (rest.len > 0 && groups < GROUPS_MAX) {
            struct group group = read_group(r, next_paragraph(&rest));
            if (!group.is_about_someone)
                continue;
            groups++;
            enum feedback one = judge_group(r, &group);
            if (!found || weight(one) < weight(*kind)) {
                *kind = one;
                least = *r->out;
            }
            found = true;
        }
    }
    *r->out = least;
    return found;
}

/* --- Older forms
 * -------------------------------------------------------------------------------------------------------- */

static bool is_from_mail_system(struct reading *r)
{
    static const char *const names[] = {"mailer-daemon", "mail delivery s", "postmaster", "mail delivery service",
                                        "mailerdaemon",  "mail-daemon",     NULL};
    struct text path = field(r, "Return-Path");

    return contains_one_of(folded(r, field(r, "From")), names) || text_is(path, "<>") || text_is(path, "< >") ||
           contains_one_of(folded(r, path), names);
}

static bool is_delayed(struct text subject, struct text human)
{
    static const char *const words[] = {"this is a warning message only",
                                        "has not yet been delivered",
                                        "not been delivered yet",
                                        "delivery attempts will continue",
                                        "will continue to be attempted",
                                        "will be retried",
                                        "will keep trying",
                                        "still being retried",
                                        "do not need to resend your message",
                                        "will try for",
                                        NULL};
    static const char *const subjects[] = {"(delay)", "delayed", "delivery delay", NULL};

    return contains_one_of(subject, subjects) || contains_one_of(human, words);
}

static bool says_undelivered(struct text subject, struct text human)
{
    static const char *const subjects[] = {"undeliver",
                                           "failure notice",
                                           "delivery fail",
                                           "delivery failure",
                                           "delivery has failed",
                                           "delivery status notification",
                                           "delivery notification",
                                           "returned mail",
                                           "returned to sender",
                                           "returning message",
                                           "mail system error",
                                           "mail failure",
                                           "message not delivered",
                                           "could not be delivered",
                                           "non remis",
                                           "unzustellbar",
                                           "nicht zugestellt",
                                           "no se puede entregar",
                                           NULL};
    static const char *const openings[] = {"this is the qmail-send program",
                                           "this is the mail system at host",
                                           "this message was created automatically by mail delivery software",
                                           "could not be delivered",
                                           "couldn't be delivered",
                                           "wasn't delivered to",
                                           "was not delivered to",
                                           "delivery has failed to these recipients",
                                           "delivery to the following recipient",
                                           "permanent fatal errors",
                                           "was undeliverable",
                                           "did not reach some or all",
                                           "unable to deliver message to the following",
                                           "unable to deliver your message",
                                           "unable to deliver the message",
                                           "wasn't able to deliver your message",
                                           "delivery failed",
                                           NULL};

    return contains_one_of(subject, subjects) || contains_one_of(human, openings);
}

static enum feedback older_form(struct reading *r, bool surely)
{
    struct text subject = folded(r, field(r, "Subject")), human = folded(r, r->human);
    struct text failed = field(r, "X-Failed-Recipients");
    bool qmail = contains(human, "this is the qmail-send program");

    if (!surely && !failed.ptr && !qmail && !(is_from_mail_system(r) && says_undelivered(subject, human))) {
        struct text submitted = folded(r, field(r, "Auto-Submitted"));
        return none(r, submitted.len && !text_is(submitted, "no") ? "an automatic answer" : "no bounce");
    }
    if (is_delayed(subject, text_slice(human, 0, SAID_MAX)))
        return none(r, "delivery is delayed, and goes on");
    know(r, failed);
    know_those_in(r, r->answer);
    return tell(r, (struct bounce_status){0}, r->answer);
}

/* --- Reading
 * -------------------------------------------------------------------------------------------------------------- */

static bool is_report(struct reading *r)
{
    for (size_t i = 0; i < r->mail.count; i++)
        if (!r->mail.parts[i].returned && text_is(r->mail.parts[i].type, "multipart/report"))
            return contains(folded(r, mail_field(&r->mail.arena, r->mail.parts[i].headers, "Content-Type", 0)),
                            "delivery-status");
    return false;
}

void bounce_read(struct text message, const char *const *recipients, size_t recipient_count, struct bounce *out)
{
    struct reading *r = must_calloc(1, sizeof *r); /* a hundred parts: not for the stack */

    *out = (struct bounce){.what = "no bounce"};
    r->out = out;
    mail_read(&r->mail, message);
    find_human_text(r);
    r->answer = find_answer(r->human);
    collect_tokens(r, recipients, recipient_count);
    if (!feedback_report(r, &out->kind) && !delivery_status(r, &out->kind))
        out->kind = older_form(r, is_report(r));
    if (out->kind == FEEDBACK_NONE)
        out->text[0] = out->status[0] = '\0';
    mail_clear(&r->mail);
    free(r);
}
