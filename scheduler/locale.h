/* locale.h - words, times and money for people (ICU). Caches formatters; one object per thread.
 * `locale` is a tag such as "de", "pt-BR" or "zh_Hant_TW"; an unknown one is taken for English. `zone` NULL is UTC.
 * What comes out may hold no-break blanks (U+00A0, U+202F) and marks of direction. */
#ifndef ONSALE_LOCALE_H
#define ONSALE_LOCALE_H

#include "zone.h"

struct locales;
struct locales *locales_new(struct error *err);
void locales_free(struct locales *locales);
bool locale_known(const char *tag); /* BCP 47, '_' for '-' allowed, and ICU has data for its language */

/* "Freitag, 5. Juni 2026 um 10:00 MESZ" */
void buf_add_local_moment(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                          int64_t at_ms);
/* "5. Juni 2026" and "10:00" */
void buf_add_local_date(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                        int64_t at_ms);
void buf_add_local_time(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                        int64_t at_ms);
/* "49,90 €" from decimal text and ISO 4217 ("" for none); never through a double. What is no such thing is written as
 * it came. */
void buf_add_money(struct buf *buf, struct locales *locales, const char *locale, const char *decimal,
                   const char *currency);

#endif
