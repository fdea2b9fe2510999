#include "audience/words.h"

#include <string.h>

void plain_name(struct text t, char out[PLAIN_NAME_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < t.len && len + 1 < PLAIN_NAME_MAX; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + ('a' - 'A'));
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
            out[len++] = (char)c;
    }
    out[len] = 0;
}

bool plain_name_equal(struct text a, struct text b)
{
    char left[PLAIN_NAME_MAX], right[PLAIN_NAME_MAX];

    plain_name(a, left);
    plain_name(b, right);
    return left[0] != 0 && strcmp(left, right) == 0;
}

/* Lists of blocked people are global in every tool: they count for all sources, like bounces. */
static const struct {
    const char *word;
    enum consent consent;
} status_words[] = {
    {"subscribed", CONSENT_YES},
    {"confirmed", CONSENT_YES},
    {"active", CONSENT_YES},
    {"enabled", CONSENT_YES},
    {"optedin", CONSENT_YES},
    {"optin", CONSENT_YES},
    {"true", CONSENT_YES},
    {"yes", CONSENT_YES},
    {"1", CONSENT_YES},
    {"unsubscribed", CONSENT_NO},
    {"unsubscribe", CONSENT_NO},
    {"nonsubscribed", CONSENT_NO},
    {"neversubscribed", CONSENT_NO},
    {"notsubscribed", CONSENT_NO},
    {"optedout", CONSENT_NO},
    {"optout", CONSENT_NO},
    {"cancelled", CONSENT_NO},
    {"canceled", CONSENT_NO},
    {"disabled", CONSENT_NO},
    {"inactive", CONSENT_NO},
    {"archived", CONSENT_NO},
    {"transactional", CONSENT_NO},
    {"false", CONSENT_NO},
    {"no", CONSENT_NO},
    {"0", CONSENT_NO},
    {"pending", CONSENT_NO},
    {"unconfirmed", CONSENT_NO},
    {"bounced", CONSENT_NEVER},
    {"cleaned", CONSENT_NEVER},
    {"hardbounce", CONSENT_NEVER},
    {"hardbounced", CONSENT_NEVER},
    {"complained", CONSENT_NEVER},
    {"complaint", CONSENT_NEVER},
    {"spamcomplaint", CONSENT_NEVER},
    {"spam", CONSENT_NEVER},
    {"invalid", CONSENT_NEVER},
    {"invalidemail", CONSENT_NEVER},
    {"blocklisted", CONSENT_NEVER},
    {"blacklisted", CONSENT_NEVER},
    {"suppressed", CONSENT_NEVER},
    {"usersuppressed", CONSENT_NEVER},
};

enum consent consent_of_word(struct text word, bool *known)
{
    char plain[PLAIN_NAME_MAX];

    plain_name(word, plain);
    for (size_t i = 0; i < ARRAY_LEN(status_words); i++) {
        if (strcmp(plain, status_words[i].word) == 0) {
            *known = true;
            return status_words[i].consent;
        }
    }
    *known = false;
    return CONSENT_NO;
}

static const struct {
    const char *name;
    enum role role;
} column_names[] = {
    {"email", ROLE_ADDRESS},
    {"emailaddress", ROLE_ADDRESS},
    {"mail", ROLE_ADDRESS},
    {"name", ROLE_NAME},
    {"fullname", ROLE_NAME},
    {"displayname", ROLE_NAME},
    {"firstname", ROLE_FIRST_NAME},
    {"fname", ROLE_FIRST_NAME},
    {"givenname", ROLE_FIRST_NAME},
    {"prenom", ROLE_FIRST_NAME},
    {"prénom", ROLE_FIRST_NAME},
    {"vorname", ROLE_FIRST_NAME},
    {"lastname", ROLE_LAST_NAME},
    {"lname", ROLE_LAST_NAME},
    {"familyname", ROLE_LAST_NAME},
    {"surname", ROLE_LAST_NAME},
    {"nom", ROLE_LAST_NAME},
    {"nachname", ROLE_LAST_NAME},
    {"locale", ROLE_LOCALE},
    {"language", ROLE_LOCALE},
    {"lang", ROLE_LOCALE},
    {"preferredlocale", ROLE_LOCALE},
    {"timezone", ROLE_ZONE},
    {"tz", ROLE_ZONE},
    {"uuid", ROLE_ID},
    {"klaviyoid", ROLE_ID},
    {"contactid", ROLE_ID},
    {"euid", ROLE_ID},
    {"status", ROLE_CONSENT},
    {"consent", ROLE_CONSENT},
    {"subscriptionstatus", ROLE_CONSENT},
    {"subscribed", ROLE_CONSENT},
    {"emailconsent", ROLE_CONSENT},
    {"emailstatus", ROLE_CONSENT},
    {"emailmarketing", ROLE_CONSENT},
    {"emailmarketingconsent", ROLE_CONSENT},
    {"acceptsmarketing", ROLE_CONSENT},
    {"acceptsemailmarketing", ROLE_CONSENT},
    {"optin", ROLE_CONSENT},
    {"unsubscribed", ROLE_OPTED_OUT},
    {"optout", ROLE_OPTED_OUT},
    {"optedout", ROLE_OPTED_OUT},
    {"emailoptout", ROLE_OPTED_OUT},
    {"hsemailoptout", ROLE_OPTED_OUT},
    {"emailblacklisted", ROLE_BLOCKED},
    {"emailblocklisted", ROLE_BLOCKED},
    {"blacklisted", ROLE_BLOCKED},
    {"blocklisted", ROLE_BLOCKED},
    {"emailsuppressions", ROLE_SUPPRESSED},
    {"attributes", ROLE_ATTRIBUTES},
    {"attribs", ROLE_ATTRIBUTES},
    {"unsubtime", ROLE_LEFT_FILE},
    {"cleantime", ROLE_DEAD_FILE},
    /* Mailchimp */
    {"memberrating", ROLE_IGNORED},
    {"optintime", ROLE_IGNORED},
    {"optinip", ROLE_IGNORED},
    {"confirmtime", ROLE_IGNORED},
    {"confirmip", ROLE_IGNORED},
    {"latitude", ROLE_IGNORED},
    {"longitude", ROLE_IGNORED},
    {"gmtoff", ROLE_IGNORED},
    {"dstoff", ROLE_IGNORED},
    {"lastchanged", ROLE_IGNORED},
    {"leid", ROLE_IGNORED},
    {"unsubcampaigntitle", ROLE_IGNORED},
    {"unsubcampaignid", ROLE_IGNORED},
    {"unsubreason", ROLE_IGNORED},
    {"unsubreasonother", ROLE_IGNORED},
    {"cleancampaigntitle", ROLE_IGNORED},
    {"cleancampaignid", ROLE_IGNORED},
    /* Klaviyo */
    {"ipaddress", ROLE_IGNORED},
    {"emailmarketingconsenttimestamp", ROLE_IGNORED},
    {"smsmarketingconsent", ROLE_IGNORED},
    {"smsmarketingconsenttimestamp", ROLE_IGNORED},
    {"profilecreatedon", ROLE_IGNORED},
    {"dateadded", ROLE_IGNORED},
    /* Brevo */
    {"smsblacklisted", ROLE_IGNORED},
    {"whatsappblacklisted", ROLE_IGNORED},
    {"addedtime", ROLE_IGNORED},
    {"modifiedtime", ROLE_IGNORED},
    /* listmonk */
    {"createdat", ROLE_IGNORED},
    {"updatedat", ROLE_IGNORED},
};

enum role role_of_name(struct text name)
{
    char plain[PLAIN_NAME_MAX];

    plain_name(name, plain);
    for (size_t i = 0; i < ARRAY_LEN(column_names); i++)
        if (strcmp(plain, column_names[i].name) == 0)
            return column_names[i].role;
    return ROLE_ATTRIBUTE;
}

bool name_is_mailchimp(struct text name)
{
    static const char *const only[] = {"memberrating", "leid", "euid"};
    char plain[PLAIN_NAME_MAX];

    plain_name(name, plain);
    for (size_t i = 0; i < ARRAY_LEN(only); i++)
        if (strcmp(plain, only[i]) == 0)
            return true;
    return false;
}
