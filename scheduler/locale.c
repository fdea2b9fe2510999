#include "locale.h"

#include <string.h>
#include <unicode/ucal.h>
#include <unicode/udat.h>
#include <unicode/udatpg.h>
#include <unicode/uloc.h>
#include <unicode/unumberformatter.h>
#include <unicode/ustring.h>

enum {
    TAG_MAX = 64,
    KEY_MAX = 160,
    FORMATTED_MAX = 256, /* UTF-16 units of one date or price */
    CACHE_SLOTS = 2048,
    CACHE_MAX = 1024,
};

/* --- A cache with an end: what people send us may name any number of languages and zones ------------------------ */

struct cache {
    struct cached {
        char *key;
        void *value;
    } slots[CACHE_SLOTS];
    size_t count;
    void (*free)(void *value);
};

static void cache_clear(struct cache *cache)
{
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        if (!cache->slots[i].key)
            continue;
        free(cache->slots[i].key);
        cache->free(cache->slots[i].value);
        cache->slots[i] = (struct cached){0};
    }
    cache->count = 0;
}

/* Where `key` is, or would go. */
static struct cached *cache_slot(struct cache *cache, const char *key)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *c = key; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    while (cache->slots[hash % CACHE_SLOTS].key && strcmp(cache->slots[hash % CACHE_SLOTS].key, key) != 0)
        hash++;
    return &cache->slots[hash % CACHE_SLOTS];
}

static void *cache_get(struct cache *cache, const char *key)
{
    return cache_slot(cache, key)->value;
}

static void *cache_put(struct cache *cache, const char *key, void *value)
{
    if (cache->count == CACHE_MAX)
        cache_clear(cache);
    struct cached *slot = cache_slot(cache, key);
    *slot = (struct cached){.key = must_strdup(key), .value = value};
    cache->count++;
    return value;
}

/* --- Locales ---------------------------------------------------------------------------------------------------- */

struct locales {
    struct cache tags;     /* as people write them -> char *, the names of ICU */
    struct cache patterns; /* name, skeleton -> UChar * */
    struct cache formats;  /* name, zone, skeleton -> struct format * */
    struct cache prices;   /* name, currency -> UNumberFormatter * */
};

struct format {
    UDateFormat *date;
    UCalendar *calendar; /* what ICU believes of the zone */
};

static void format_free(void *value)
{
    struct format *format = value;

    udat_close(format->date);
    ucal_close(format->calendar);
    free(format);
}

static void price_free(void *value)
{
    unumf_close(value);
}

struct locales *locales_new(struct error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    struct locales *locales = must_calloc(1, sizeof *locales);

    locales->tags.free = free;
    locales->patterns.free = free;
    locales->formats.free = format_free;
    locales->prices.free = price_free;
    udatpg_close(udatpg_open("en", &status));
    if (U_FAILURE(status)) {
        error_set(err, ERROR_CONFIG, "ICU cannot read its data: %s", u_errorName(status));
        locales_free(locales);
        return NULL;
    }
    return locales;
}

void locales_free(struct locales *locales)
{
    if (!locales)
        return;
    cache_clear(&locales->tags);
    cache_clear(&locales->patterns);
    cache_clear(&locales->formats);
    cache_clear(&locales->prices);
    free(locales);
}

static bool language_known(const char *language)
{
    size_t len = strlen(language);

    for (int32_t i = 0; len > 0 && i < uloc_countAvailable(); i++) {
        const char *available = uloc_getAvailable(i);
        if (strncmp(available, language, len) == 0 && (available[len] == '\0' || available[len] == '_'))
            return true;
    }
    return false;
}

/* "de-DE" or "de_DE" -> "de_DE": language, script and country; the rest is dropped. -1 when ICU knows no such language.
 */
static int read_tag(const char *tag, char out[TAG_MAX])
{
    char dashed[TAG_MAX], id[ULOC_FULLNAME_CAPACITY], language[ULOC_LANG_CAPACITY], script[ULOC_SCRIPT_CAPACITY],
        country[ULOC_COUNTRY_CAPACITY];
    UErrorCode status = U_ZERO_ERROR;
    int32_t used = 0;
    size_t len = strlen(tag);

    if (len == 0 || len >= sizeof dashed)
        return -1;
    for (size_t i = 0; i <= len; i++)
        dashed[i] = (char)(tag[i] == '_' ? '-' : tag[i]);
    uloc_forLanguageTag(dashed, id, sizeof id, &used, &status);
    uloc_getLanguage(id, language, sizeof language, &status);
    uloc_getScript(id, script, sizeof script, &status);
    uloc_getCountry(id, country, sizeof country, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING || (size_t)used != len ||
        !language_known(language))
        return -1;
    snprintf(out, TAG_MAX, "%s%s%s%s%s", language, *script ? "_" : "", script, *country ? "_" : "", country);
    return 0;
}

bool locale_known(const char *tag)
{
    char name[TAG_MAX];

    return read_tag(tag, name) == 0;
}

/* ICU's name of the locale; English when it is unknown. */
static const char *name_of(struct locales *locales, const char *tag)
{
    char name[TAG_MAX];
    const char *known;

    if (strlen(tag) >= TAG_MAX)
        return "en";
    if ((known = cache_get(&locales->tags, tag)))
        return known;
    if (read_tag(tag, name) < 0)
        strcpy(name, "en");
    return cache_put(&locales->tags, tag, must_strdup(name));
}

static void add_utf16(struct buf *buf, const UChar *formatted, int32_t len)
{
    char utf8[3 * FORMATTED_MAX];
    int32_t size = 0;
    UErrorCode status = U_ZERO_ERROR;

    u_strToUTF8(utf8, sizeof utf8, &size, formatted, len, &status);
    if (U_SUCCESS(status))
        buf_add(buf, utf8, (size_t)size);
}

/* --- Dates and times -------------------------------------------------------------------------------------------- */

/* The locale's way to write the fields of `skeleton`; finding it is slow. NULL on failure. */
static const UChar *pattern_of(struct locales *locales, const char *name, const char *skeleton)
{
    char key[KEY_MAX];
    UChar fields[32], *pattern;
    UErrorCode status = U_ZERO_ERROR;

    snprintf(key, sizeof key, "%s|%s", name, skeleton);
    if ((pattern = cache_get(&locales->patterns, key)))
        return pattern;
    u_strFromUTF8(fields, ARRAY_LEN(fields), NULL, skeleton, -1, &status);
    UDateTimePatternGenerator *generator = udatpg_open(name, &status);
    pattern = must_calloc(FORMATTED_MAX, sizeof *pattern);
    udatpg_getBestPattern(generator, fields, -1, pattern, FORMATTED_MAX - 1, &status);
    if (generator)
        udatpg_close(generator);
    if (U_FAILURE(status)) {
        free(pattern);
        return NULL;
    }
    return cache_put(&locales->patterns, key, pattern);
}

static struct format *format_of(struct locales *locales, const char *name, const char *zone, const char *skeleton)
{
    char key[KEY_MAX];
    UChar zone_id[96];
    UErrorCode status = U_ZERO_ERROR;
    struct format *format;

    snprintf(key, sizeof key, "%s|%s|%s", name, zone, skeleton);
    if ((format = cache_get(&locales->formats, key)))
        return format;
    const UChar *pattern = pattern_of(locales, name, skeleton);
    if (!pattern)
        return NULL;
    u_strFromUTF8(zone_id, ARRAY_LEN(zone_id), NULL, zone, -1, &status);
    format = must_calloc(1, sizeof *format);
    format->date = udat_open(UDAT_PATTERN, UDAT_PATTERN, name, zone_id, -1, pattern, -1, &status);
    format->calendar = ucal_open(zone_id, -1, name, UCAL_GREGORIAN, &status);
    if (U_FAILURE(status)) {
        format_free(format);
        return NULL;
    }
    return cache_put(&locales->formats, key, format);
}

static bool agrees(const struct format *format, int64_t at_ms, int64_t offset_ms)
{
    UErrorCode status = U_ZERO_ERROR;

    ucal_setMillis(format->calendar, (UDate)at_ms, &status);
    int64_t believed_ms = (int64_t)ucal_get(format->calendar, UCAL_ZONE_OFFSET, &status) +
                          ucal_get(format->calendar, UCAL_DST_OFFSET, &status);
    return U_SUCCESS(status) && believed_ms == offset_ms;
}

/* Our zones are the system's and fresh; ICU's are as old as ICU, and names it does not know become Greenwich without a
 * word. Where they differ, the offset itself stands for the zone. */
static struct format *honest_format(struct locales *locales, const char *name, const struct zone *zone, int64_t at_ms,
                                    const char *skeleton)
{
    char offset[32];
    int64_t offset_ms = zone ? zone_offset_ms(zone, at_ms) : 0;
    int minutes = (int)((offset_ms < 0 ? -offset_ms : offset_ms) / MINUTE_MS);
    struct format *format = format_of(locales, name, zone ? zone_name(zone) : "Etc/UTC", skeleton);

    if (format && agrees(format, at_ms, offset_ms))
        return format;
    snprintf(offset, sizeof offset, "GMT%c%02d:%02d", offset_ms < 0 ? '-' : '+', minutes / 60, minutes % 60);
    format = format_of(locales, name, offset, skeleton);
    return format && agrees(format, at_ms, offset_ms) ? format : NULL;
}

static bool add_formatted(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                          int64_t at_ms, const char *skeleton)
{
    UChar formatted[FORMATTED_MAX];
    UErrorCode status = U_ZERO_ERROR;
    struct format *format = honest_format(locales, name_of(locales, locale), zone, at_ms, skeleton);

    if (!format)
        return false;
    int32_t len = udat_format(format->date, (UDate)at_ms, formatted, FORMATTED_MAX, NULL, &status);
    if (U_FAILURE(status) || len > FORMATTED_MAX)
        return false;
    add_utf16(buf, formatted, len);
    return true;
}

/* What is written where ICU fails: nobody misreads it. */
static struct civil plain_civil(const struct zone *zone, int64_t at_ms)
{
    return zone ? zone_civil(zone, at_ms) : civil_of(at_ms);
}

void buf_add_local_moment(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                          int64_t at_ms)
{
    if (!add_formatted(buf, locales, locale, zone, at_ms, "yEEEEdMMMMjmmz"))
        buf_add_moment(buf, at_ms);
}

void buf_add_local_date(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                        int64_t at_ms)
{
    struct civil c = plain_civil(zone, at_ms);

    if (!add_formatted(buf, locales, locale, zone, at_ms, "yMMMMd"))
        buf_addf(buf, "%04d-%02d-%02d", c.year, c.month, c.day);
}

void buf_add_local_time(struct buf *buf, struct locales *locales, const char *locale, const struct zone *zone,
                        int64_t at_ms)
{
    struct civil c = plain_civil(zone, at_ms);

    if (!add_formatted(buf, locales, locale, zone, at_ms, "jmm"))
        buf_addf(buf, "%02d:%02d", c.hour, c.minute);
}

/* --- Money ------------------------------------------------------------------------------------------------------ */

static bool is_decimal(const char *decimal)
{
    static const char digits[] = "0123456789";
    size_t whole, fraction;

    decimal += *decimal == '-';
    whole = strspn(decimal, digits);
    decimal += whole;
    if (*decimal == '.') {
        fraction = strspn(++decimal, digits);
        decimal += fraction;
        whole = whole && fraction ? whole + fraction : 0;
    }
    return whole > 0 && whole <= 30 && *decimal == '\0';
}

/* "EUR", or "" for none; -1 for anything else. */
static int read_currency(const char *currency, char out[4])
{
    size_t len = strlen(currency);

    if (len != 0 && len != 3)
        return -1;
    for (size_t i = 0; i <= len; i++) {
        out[i] = (char)(currency[i] >= 'a' && currency[i] <= 'z' ? currency[i] - 'a' + 'A' : currency[i]);
        if (i < len && (out[i] < 'A' || out[i] > 'Z'))
            return -1;
    }
    return 0;
}

static UNumberFormatter *price_of(struct locales *locales, const char *name, const char *currency)
{
    char key[KEY_MAX], skeleton[32];
    UChar wide[32];
    UErrorCode status = U_ZERO_ERROR;
    UNumberFormatter *price;

    snprintf(key, sizeof key, "%s|%s", name, currency);
    if ((price = cache_get(&locales->prices, key)))
        return price;
    if (*currency)
        snprintf(skeleton, sizeof skeleton, "currency/%s", currency);
    else
        strcpy(skeleton, ".00/w"); /* two places, or none for whole numbers */
    u_strFromUTF8(wide, ARRAY_LEN(wide), NULL, skeleton, -1, &status);
    price = unumf_openForSkeletonAndLocale(wide, -1, name, &status);
    if (U_FAILURE(status)) {
        unumf_close(price);
        return NULL;
    }
    return cache_put(&locales->prices, key, price);
}

static bool add_price(struct buf *buf, UNumberFormatter *price, const char *decimal)
{
    UChar formatted[FORMATTED_MAX];
    UErrorCode status = U_ZERO_ERROR;
    UFormattedNumber *result = unumf_openResult(&status);

    unumf_formatDecimal(price, decimal, -1, result, &status);
    int32_t len = unumf_resultToString(result, formatted, FORMATTED_MAX, &status);
    unumf_closeResult(result);
    if (U_FAILURE(status) || len > FORMATTED_MAX)
        return false;
    add_utf16(buf, formatted, len);
    return true;
}

void buf_add_money(struct buf *buf, struct locales *locales, const char *locale, const char *decimal,
                   const char *currency)
{
    char code[4];

    if (is_decimal(decimal) && read_currency(currency, code) == 0) {
        UNumberFormatter *price = price_of(locales, name_of(locales, locale), code);
        if (price && add_price(buf, price, decimal))
            return;
    }
    /* Not a price as we know them: as it came, which is better than a wrong one. */
    buf_addf(buf, "%s%s%s", decimal, *currency ? " " : "", currency);
}
