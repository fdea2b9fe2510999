/* conditional.h - what a client has already, and in which form it takes an answer: the header fields If-None-Match,
 * If-Modified-Since and Accept-Encoding (RFC 9110 sections 8.8, 12.5.3 and 13). Lenient where a wrong reading costs
 * bytes, never where it would leave somebody with what is old. Pure. */
#ifndef ONSALE_CONDITIONAL_H
#define ONSALE_CONDITIONAL_H

#include "clock.h"

/* One answer in the forms there are; each entity tag as it is sent, quotes and all, and strong. */
struct conditional_forms {
    struct text plain, gzip; /* `gzip` empty: there is no such form */
    int64_t modified_at_ms;  /* MOMENT_NONE: not known */
};

enum { CONDITIONAL_LINES = 4 };

/* The fields of one request. Zero bytes: none was sent. Texts are borrowed. */
struct conditional {
    struct text none_match[CONDITIONAL_LINES]; /* what comes in more lines is not looked at */
    size_t none_match_count;
    struct text modified_since;
    size_t modified_since_count;   /* more than one line means none (section 13.1.3) */
    int gzip_q, identity_q, any_q; /* thousandths, plus 1; 0: not named */
};
/* One line of a field, as often as there are lines; a name that is none of the three changes nothing. */
void conditional_field(struct conditional *request, struct text name, struct text value);

struct conditional_choice {
    bool gzip;   /* the form to answer with, or about */
    bool has_it; /* the client has that form already: 304 */
};
/* The form that the client would rather have; or the other one, when it has that and takes it as well. */
struct conditional_choice conditional_choose(const struct conditional *request, const struct conditional_forms *forms);

/* An HTTP-date in any of its three forms (section 5.6.7); a year of two digits is of 1970 to 2069. */
int conditional_date_parse(struct text t, int64_t *out_ms);
/* "Sun, 06 Nov 1994 08:49:37 GMT", whole seconds; what is below is dropped. */
enum { CONDITIONAL_DATE_SIZE = 30 };
void conditional_date_write(int64_t at_ms, char out[CONDITIONAL_DATE_SIZE]);

#endif
