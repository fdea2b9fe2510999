/* templates.h - what lies in a folder of templates: of messages NAME/email.subject, email.html, email.txt and the same
 * with a language (email.de.html), of pages NAME/page.html and page.de.html, of calendars NAME/event.txt and
 * event.de.txt; partials beside them (partials/footer.de.html). Read and compiled at start; immutable then. */
#ifndef ONSALE_TEMPLATES_H
#define ONSALE_TEMPLATES_H

#include "render.h"

enum { LANGUAGE_MAX = 35 }; /* bytes of a language tag (BCP 47 section 4.4.1) */

enum templates_kind { TEMPLATES_EMAIL, TEMPLATES_PAGE, TEMPLATES_CALENDAR };

struct templates;
struct templates_language {
    char tag[LANGUAGE_MAX + 1];
    struct render_template *subject, *html, *text; /* a page has html alone, a calendar text */
};

/* `folders`: searched in order, NULL-terminated; the first that has NAME gives all its parts. Partials are looked for
 * in all of them. Each language needs all parts; those without a suffix are in `default_language`. */
struct templates *templates_read(const char *const *folders, const char *name, enum templates_kind kind,
                                 const char *default_language, struct error *err);
void templates_free(struct templates *templates);
const char *templates_name(const struct templates *templates);
size_t templates_count(const struct templates *templates); /* languages, at least one */
const struct templates_language *templates_at(const struct templates *templates, size_t i); /* [0]: the default one */
/* The language for a locale such as "de-AT" or "pt_BR": the whole tag, else its language; NULL when there is none. */
const struct templates_language *templates_pick(const struct templates *templates, struct text locale);
uint64_t templates_hash(const struct templates *templates);                  /* over the bytes of all sources */
bool templates_mention(const struct templates *templates, const char *word); /* anywhere in a source */

#endif
