#include "zone.h"

#include <string.h>

enum {
    FILE_MAX = 1024 * 1024, /* bytes; the largest of tzdata has 4 KiB */
    NAME_MAX_LEN = 64,
    ABBREVIATION_SIZE = 16,
    OFFSET_MAX_S = 26 * 3600, /* RFC 8536 section 3.2 */
    DAY_S = 86400,
    REMEMBER_MAX = 4096,
};
#define ALWAYS_S (INT64_MAX / 4000) /* "no change before / after": far beyond any moment, and safe to add to */

struct local_type {
    int32_t offset_s; /* east is positive */
    char abbreviation[ABBREVIATION_SIZE];
};

/* When a footer's daylight time begins or ends each year (POSIX TZ, as extended by RFC 8536 section 3.3.1). */
struct yearly {
    enum { YEARLY_JULIAN, YEARLY_DAY, YEARLY_WEEKDAY } form; /* Jn, n, Mm.w.d */
    int month, week, day;
    int32_t time_s; /* of local time; may lie in the days before or after */
};

struct zone {
    char *name;
    size_t change_count;
    int64_t *changes_s; /* ascending */
    uint8_t *change_types;
    struct local_type *types;
    size_t type_count;
    bool has_footer, has_daylight;
    struct local_type standard, daylight;
    struct yearly daylight_from, daylight_until;
};

/* A stretch of time in which nothing changes: from <= t < until. */
struct stretch {
    int64_t from_s, until_s;
    const struct local_type *type;
};

/* --- The footer ----------------------------------------------------------------------------------------------- */

static bool take(struct text *t, char c)
{
    if (t->len == 0 || t->ptr[0] != c)
        return false;
    *t = text_slice(*t, 1, t->len);
    return true;
}

static int take_number(struct text *t, int min, int max, int *out)
{
    int value = 0;
    size_t i = 0;

    for (; i < t->len && i < 4 && t->ptr[i] >= '0' && t->ptr[i] <= '9'; i++)
        value = value * 10 + (t->ptr[i] - '0');
    if (i == 0 || value < min || value > max)
        return -1;
    *t = text_slice(*t, i, t->len);
    *out = value;
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "EET", or "<+03>" with digits and signs. */
static int take_abbreviation(struct text *t, char out[ABBREVIATION_SIZE])
{
    bool quoted = take(t, '<');
    size_t len = 0;

    while (len < t->len && (is_letter(t->ptr[len]) || (quoted && (t->ptr[len] == '+' || t->ptr[len] == '-' ||
                                                                  (t->ptr[len] >= '0' && t->ptr[len] <= '9')))))
        len++;
    if (len < 3 || len >= ABBREVIATION_SIZE)
        return -1;
    memcpy(out, t->ptr, len);
    out[len] = '\0';
    *t = text_slice(*t, len, t->len);
    return !quoted || take(t, '>') ? 0 : -1;
}

/* "[+-]h[:m[:s]]" */
static int take_time(struct text *t, int max_hours, int32_t *out_s)
{
    int sign = take(t, '-') ? -1 : 1, hours, minutes = 0, seconds = 0;

    if (sign > 0)
        take(t, '+');
    if (take_number(t, 0, max_hours, &hours) < 0 ||
        (take(t, ':') &&
         (take_number(t, 0, 59, &minutes) < 0 || (take(t, ':') && take_number(t, 0, 59, &seconds) < 0))))
        return -1;
    *out_s = sign * (hours * 3600 + minutes * 60 + seconds);
    return 0;
}

/* Offsets are written west-positive here, the other way round than everywhere else. */
static int take_offset(struct text *t, int32_t *out_s)
{
    if (take_time(t, 24, out_s) < 0)
        return -1;
    *out_s = -*out_s;
    return 0;
}

static int take_yearly(struct text *t, struct yearly *out)
{
    out->time_s = 2 * 3600;
    if (take(t, 'M')) {
        out->form = YEARLY_WEEKDAY;
        if (take_number(t, 1, 12, &out->month) < 0 || !take(t, '.') || take_number(t, 1, 5, &out->week) < 0 ||
            !take(t, '.') || take_number(t, 0, 6, &out->day) < 0)
            return -1;
    } else {
        out->form = take(t, 'J') ? YEARLY_JULIAN : YEARLY_DAY;
        if (take_number(t, out->form == YEARLY_JULIAN, 365, &out->day) < 0)
            return -1;
    }
    return take(t, '/') ? take_time(t, 167, &out->time_s) : 0;
}

static int read_footer(struct zone *zone, struct text t)
{
    if (t.len == 0)
        return 0; /* nothing is known of the time after the last change */
    zone->has_footer = true;
    if (take_abbreviation(&t, zone->standard.abbreviation) < 0 || take_offset(&t, &zone->standard.offset_s) < 0)
        return -1;
    if (t.len == 0)
        return 0;
    zone->has_daylight = true;
    zone->daylight.offset_s = zone->standard.offset_s + 3600;
    if (take_abbreviation(&t, zone->daylight.abbreviation) < 0 ||
        (t.len > 0 && t.ptr[0] != ',' && take_offset(&t, &zone->daylight.offset_s) < 0) || !take(&t, ',') ||
        take_yearly(&t, &zone->daylight_from) < 0 || !take(&t, ',') || take_yearly(&t, &zone->daylight_until) < 0)
        return -1;
    return t.len == 0 ? 0 : -1;
}

/* When it happens in `year`, as if local time were UTC. */
static int64_t yearly_s(const struct yearly *rule, int year)
{
    struct civil c = {.year = year, .month = 1, .day = 1};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    switch (rule->form) {
    case YEARLY_JULIAN: /* 1..365; 29 February is not counted */
        c.day = rule->day + (leap && rule->day >= 60);
        break;
    case YEARLY_DAY: /* 0..365 */
        c.day = rule->day + 1;
        break;
    case YEARLY_WEEKDAY: /* the week-th such day of the month; 5 is the last */
        c.month = rule->month;
        c.day += (rule->day - civil_weekday(c) + 7) % 7 + (rule->week - 1) * 7;
        if (rule->week == 5 && civil_of(civil_to_ms(c)).month != rule->month)
            c.day -= 7;
        break;
    }
    return civil_to_ms(c) / SECOND_MS + rule->time_s;
}

/* The stretch that holds `at_s` if the footer ruled all time. Times of day may reach into the neighbouring years, so
 * three years are looked at. Daylight time that ends when the next begins never ends (the later change wins). */
static struct stretch footer_stretch(const struct zone *zone, int64_t at_s)
{
    struct stretch out = {-ALWAYS_S, ALWAYS_S, &zone->standard};
    int year = civil_of((at_s + zone->standard.offset_s) * SECOND_MS).year;

    if (!zone->has_daylight)
        return out;
    for (int y = year - 1; y <= year + 1; y++) {
        const struct stretch changes[] = {
            {yearly_s(&zone->daylight_from, y) - zone->standard.offset_s, 0, &zone->daylight},
            {yearly_s(&zone->daylight_until, y) - zone->daylight.offset_s, 0, &zone->standard},
        };
        for (size_t i = 0; i < ARRAY_LEN(changes); i++)
            if (changes[i].from_s <= at_s && changes[i].from_s >= out.from_s) {
                out.from_s = changes[i].from_s;
                out.type = changes[i].type;
            } else if (changes[i].from_s > at_s && changes[i].from_s < out.until_s) {
                out.until_s = changes[i].from_s;
            }
    }
    return out;
}

/* --- The file ------------------------------------------------------------------------------------------------- */

struct counts { /* in the order of the header */
    uint32_t is_ut, is_standard, leap, change, type, character;
};

static uint64_t big_endian(const char *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

/* Takes `size` bytes off the front; NULL when there are fewer. */
static const char *take_bytes(struct text *t, uint64_t size)
{
    const char *bytes = t->ptr;

    if (size > t->len)
        return NULL;
    *t = text_slice(*t, (size_t)size, t->len);
    return bytes;
}

static int read_header(struct text *t, struct counts *out, struct error *err)
{
    const char *header = take_bytes(t, 44);

    if (!header || memcmp(header, "TZif", 4) != 0)
        return error_set(err, ERROR_CONFIG, "not a time zone file");
    if (header[4] < '2' || header[4] > '9')
        return error_set(err, ERROR_CONFIG, "expected a time zone file of version 2 or later");
    uint32_t *counts[] = {&out->is_ut, &out->is_standard, &out->leap, &out->change, &out->type, &out->character};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        *counts[i] = (uint32_t)big_endian(header + 20 + 4 * i, 4);
    return 0;
}

static int read_types(struct zone *zone, const char *types, const char *names, const struct counts *n)
{
    zone->type_count = n->type;
    zone->types = must_calloc(n->type, sizeof *zone->types);
    for (size_t i = 0; i < n->type; i++) {
        struct local_type *type = &zone->types[i];
        size_t at = (unsigned char)types[6 * i + 5];
        type->offset_s = (int32_t)big_endian(types + 6 * i, 4);
        if (type->offset_s < -OFFSET_MAX_S || type->offset_s > OFFSET_MAX_S || at >= n->character ||
            !memchr(names + at, '\0', n->character - at) || strlen(names + at) >= ABBREVIATION_SIZE)
            return -1;
        strcpy(type->abbreviation, names + at);
    }
    return 0;
}

static int read_changes(struct zone *zone, const char *changes, const char *types, const struct counts *n)
{
    zone->change_count = n->change;
    zone->changes_s = must_calloc(n->change, sizeof *zone->changes_s);
    zone->change_types = must_calloc(n->change, 1);
    for (size_t i = 0; i < n->change; i++) {
        int64_t at_s = (int64_t)big_endian(changes + 8 * i, 8);
        if (at_s < -ALWAYS_S)
            at_s = -ALWAYS_S; /* some writers begin with the Big Bang */
        zone->changes_s[i] = at_s;
        zone->change_types[i] = (uint8_t)types[i];
        if (zone->change_types[i] >= n->type || at_s > ALWAYS_S || (i > 0 && at_s <= zone->changes_s[i - 1]))
            return -1;
    }
    return 0;
}

/* RFC 8536 section 3.2: a block of 32-bit times that we skip, one of 64-bit times, and the footer between newlines. */
static int read_file(struct zone *zone, struct text t, struct error *err)
{
    struct counts n = {0};

    if (read_header(&t, &n, err) < 0)
        return -1;
    if (!take_bytes(&t, (uint64_t)n.change * 5 + (uint64_t)n.type * 6 + n.character + (uint64_t)n.leap * 8 +
                            n.is_standard + n.is_ut))
        return error_set(err, ERROR_CONFIG, "the time zone file is cut short");
    if (read_header(&t, &n, err) < 0)
        return -1;
    if (n.leap > 0)
        return error_set(err, ERROR_CONFIG, "time zones that count leap seconds are not supported");
    const char *changes = take_bytes(&t, (uint64_t)n.change * 8);
    const char *change_types = take_bytes(&t, n.change);
    const char *types = take_bytes(&t, (uint64_t)n.type * 6);
    const char *names = take_bytes(&t, n.character);
    if (!changes || !change_types || !types || !names || !take_bytes(&t, (uint64_t)n.is_standard + n.is_ut) ||
        !take(&t, '\n') || t.len == 0 || !memchr(t.ptr, '\n', t.len))
        return error_set(err, ERROR_CONFIG, "the time zone file is cut short");
    if (n.type < 1 || n.type > 256 || read_types(zone, types, names, &n) < 0 ||
        read_changes(zone, changes, change_types, &n) < 0)
        return error_set(err, ERROR_CONFIG, "the time zone file is damaged");
    struct text footer = text_cut(&t, '\n');
    if (read_footer(zone, footer) < 0)
        return error_set(err, ERROR_CONFIG, "the time zone file ends in a rule that cannot be read: \"%.*s\"",
                         TEXT_ARGS(text_slice(footer, 0, 60)));
    return 0;
}

struct zone *zone_parse(const char *name, struct text tzif, struct error *err)
{
    struct zone *zone = must_calloc(1, sizeof *zone);

    zone->name = must_strdup(name);
    if (read_file(zone, tzif, err) < 0) {
        error_at(err, "time zone \"%s\"", name);
        zone_free(zone);
        return NULL;
    }
    return zone;
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_LEN && name[0] != '/' && !strstr(name, "//") && name[len - 1] != '/' &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0';
}

struct zone *zone_load(const char *name, struct error *err)
{
    const char *folder = getenv("TZDIR");
    auto_buf struct buf path, content;

    buf_init(&path, 4096);
    buf_init(&content, FILE_MAX);
    if (!is_name(name)) {
        error_set(err, ERROR_CONFIG, "expected a time zone such as Europe/Vilnius, found \"%.*s\"",
                  TEXT_ARGS(text_slice(text_of(name), 0, NAME_MAX_LEN)));
        return NULL;
    }
    buf_addf(&path, "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name);
    if (buf_failed(&path) || buf_add_file(&content, path.ptr, NULL) < 0) { /* also a folder, or too long */
        error_set(err, ERROR_CONFIG, "unknown time zone \"%s\"", name);
        return NULL;
    }
    return zone_parse(name, buf_text(&content), err);
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->name);
    free(zone->changes_s);
    free(zone->change_types);
    free(zone->types);
    free(zone);
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* --- Asking --------------------------------------------------------------------------------------------------- */

static struct stretch stretch_at(const struct zone *zone, int64_t at_s)
{
    size_t low = 0, high = zone->change_count; /* the first change after `at_s` is found */

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes_s[middle] <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    struct stretch out = {
        .from_s = low > 0 ? zone->changes_s[low - 1] : -ALWAYS_S,
        .until_s = low < zone->change_count ? zone->changes_s[low] : ALWAYS_S,
        .type = &zone->types[low > 0 ? zone->change_types[low - 1] : 0],
    };
    if (low == zone->change_count && zone->has_footer) {
        struct stretch footer = footer_stretch(zone, at_s);
        out.type = footer.type;
        out.until_s = footer.until_s;
        if (footer.from_s > out.from_s)
            out.from_s = footer.from_s;
    }
    return out;
}

/* Whole seconds, rounded down, within what can be added to. */
static int64_t seconds_of(int64_t at_ms)
{
    int64_t s = at_ms / SECOND_MS - (at_ms % SECOND_MS < 0);

    return s < -ALWAYS_S ? -ALWAYS_S : s > ALWAYS_S ? ALWAYS_S : s;
}

int64_t zone_offset_ms(const struct zone *zone, int64_t at_ms)
{
    return (int64_t)stretch_at(zone, seconds_of(at_ms)).type->offset_s * SECOND_MS;
}

struct civil zone_civil(const struct zone *zone, int64_t at_ms)
{
    int64_t at_s = seconds_of(at_ms);
    struct civil local = civil_of((at_s + stretch_at(zone, at_s).type->offset_s) * SECOND_MS);

    local.ms = (int)((at_ms % SECOND_MS + SECOND_MS) % SECOND_MS);
    return local;
}

int64_t zone_to_utc(const struct zone *zone, struct civil local, enum zone_met *met)
{
    int64_t local_ms = civil_to_ms(local), local_s = seconds_of(local_ms);
    struct stretch now = stretch_at(zone, local_s - OFFSET_MAX_S), before = now;
    int found = 0;
    int64_t offset_s = now.type->offset_s;

    *met = ZONE_PLAIN;
    while (true) {
        int64_t at_s = local_s - now.type->offset_s;
        if (at_s >= now.from_s && at_s < now.until_s) {
            if (found++ == 0)
                offset_s = now.type->offset_s;
            else
                *met = ZONE_OVERLAP;
        } else if (!found && at_s < now.from_s && local_s - before.type->offset_s >= now.from_s) {
            offset_s = before.type->offset_s; /* skipped: what the clock would show had it not been moved */
            *met = ZONE_GAP;
            break;
        }
        if (now.until_s > local_s + OFFSET_MAX_S || now.until_s >= ALWAYS_S)
            break;
        before = now;
        now = stretch_at(zone, now.until_s);
    }
    return local_ms - offset_s * SECOND_MS;
}

void zone_abbreviation(const struct zone *zone, int64_t at_ms, char *out, size_t size)
{
    snprintf(out, size, "%s", stretch_at(zone, seconds_of(at_ms)).type->abbreviation);
}

/* --- All of them ---------------------------------------------------------------------------------------------- */

struct zones {
    struct entry {
        char *name;
        struct zone *zone; /* NULL: there is none */
    } * entries;           /* sorted by name */
    size_t count, cap;
};

struct zones *zones_new(void)
{
    return must_calloc(1, sizeof(struct zones));
}

void zones_free(struct zones *zones)
{
    if (!zones)
        return;
    for (size_t i = 0; i < zones->count; i++) {
        free(zones->entries[i].name);
        zone_free(zones->entries[i].zone);
    }
    free(zones->entries);
    free(zones);
}

const struct zone *zones_get(struct zones *zones, const char *name)
{
    size_t low = 0, high = zones->count;

    if (!is_name(name))
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(zones->entries[middle].name, name);
        if (order == 0)
            return zones->entries[middle].zone;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct zone *zone = zone_load(name, NULL);
    if (!zone && zones->count >= REMEMBER_MAX)
        return NULL; /* names come from outside: there is an end to remembering wrong ones */
    if (zones->count == zones->cap) {
        zones->cap = zones->cap ? zones->cap * 2 : 16;
        zones->entries = must_realloc(zones->entries, zones->cap * sizeof *zones->entries);
    }
    memmove(&zones->entries[low + 1], &zones->entries[low], (zones->count - low) * sizeof *zones->entries);
    zones->entries[low] = (struct entry){.name = must_strdup(name), .zone = zone};
    zones->count++;
    return zone;
}
