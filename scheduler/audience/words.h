/* words.h - what marketing tools call consent, and how they name their columns. Tables; any thread. */
#ifndef ONSALE_WORDS_H
#define ONSALE_WORDS_H

#include "delivery.h"

enum { PLAIN_NAME_MAX = 48 };

/* Lower case, letters and digits only: "E-Mail Address" -> "emailaddress". What is longer is cut; bytes beyond ASCII
 * are kept as they are. */
void plain_name(struct text t, char out[PLAIN_NAME_MAX]);
bool plain_name_equal(struct text a, struct text b);

/* A status word: "subscribed", "Hard Bounce", "NEVER_SUBSCRIBED". *known false: not in the table, and so a no. */
enum consent consent_of_word(struct text word, bool *known);

/* What a column, or a key of a JSON record, is for. */
enum role {
    ROLE_ATTRIBUTE, /* unknown to us: kept as an attribute */
    ROLE_ADDRESS,
    ROLE_NAME,
    ROLE_FIRST_NAME,
    ROLE_LAST_NAME,
    ROLE_LOCALE,
    ROLE_ZONE,
    ROLE_ID,         /* the tool's own */
    ROLE_CONSENT,    /* a status word */
    ROLE_OPTED_OUT,  /* anything but a plain "no" is a no to mail */
    ROLE_BLOCKED,    /* anything but a plain "no" is never mail */
    ROLE_SUPPRESSED, /* reasons; empty says nothing */
    ROLE_ATTRIBUTES, /* a JSON object */
    ROLE_IGNORED,    /* the tool's housekeeping, and where people were when they signed up: not our business */
    ROLE_LEFT_FILE,  /* its presence says that everybody in this file has unsubscribed */
    ROLE_DEAD_FILE,  /* its presence says that every address in this file is dead */
    ROLES
};
enum role role_of_name(struct text name);
/* Only Mailchimp's exports have it; they say in the file's name who is inside. */
bool name_is_mailchimp(struct text name);

#endif
