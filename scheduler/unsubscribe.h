/* unsubscribe.h - the page that people leave by: what its forms say, in which language it answers, how it reads. Pure
 * but for reading templates at start. */
#ifndef ONSALE_UNSUBSCRIBE_H
#define ONSALE_UNSUBSCRIBE_H

#include "templates.h"

/* --- What is asked for --- */

enum unsubscribe_wish {
    WISH_NONE,
    WISH_ONE_CLICK, /* by a mail program (RFC 8058): List-Unsubscribe=One-Click */
    WISH_THIS,      /* by a form of the page: scope=this, from the audience of the link */
    WISH_ALL,       /* scope=all, from everything */
};
/* The body of a POST, as application/x-www-form-urlencoded or multipart/form-data. */
enum unsubscribe_wish unsubscribe_wish(const char *content_type, struct text body);

/* --- How it reads --- */

enum unsubscribe_page { PAGE_ASK, PAGE_DONE, PAGE_DONE_ALL, PAGE_BROKEN, PAGE_LATER, UNSUBSCRIBE_PAGES };

/* templates/unsubscribe/page.html and page.LANGUAGE.html. A template says, each in a section of its own, what to do
 * ({{#ask}}), what was done ({{#done}}, {{#done_all}}), that the link is none ({{#broken}}), and that it could not be
 * done right now ({{#later}}). It knows {{address}} (masked; not when broken), {{language}}, {{sender.name}},
 * {{sender.postal_address}} and {{sender.contact}}; the last three may be absent. */
struct unsubscribe_texts;
/* Every language compiled, and every page of it rendered once: a missing value is an error. `folders` as for messages.
 */
struct unsubscribe_texts *unsubscribe_texts_load(const char *const *folders, struct error *err);
void unsubscribe_texts_free(struct unsubscribe_texts *texts);
void buf_add_unsubscribe_languages(struct buf *buf, const struct unsubscribe_texts *texts); /* "en, de" */

/* The tag of a language that there is: for the subscriber's locale, else for what the browser accepts (RFC 9110 section
 * 12.5.4), else the site's, else the default one. Any may be empty. Lives as long as `texts`. */
const char *unsubscribe_language(const struct unsubscribe_texts *texts, struct text locale, struct text accept,
                                 struct text site);

struct unsubscribe_view {
    enum unsubscribe_page page;
    const char *language;                               /* of unsubscribe_language() */
    const char *address;                                /* masked; "" none */
    const char *sender_name, *postal_address, *contact; /* "" or NULL: none */
};
int unsubscribe_page_make(const struct unsubscribe_texts *texts, const struct unsubscribe_view *view, struct buf *out,
                          struct error *err);

/* "a•••@example.org": they know it again, others learn little. */
void buf_add_masked_address(struct buf *buf, struct text address);

#endif
