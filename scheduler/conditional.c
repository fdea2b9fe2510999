#include "conditional.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- Accept-Encoding ---------------------------------------------------------------------------------------------- */

/* A weight in thousandths: "1", "0.5", "0.125"; -1 for what is none (section 12.4.2). */
static int read_weight(struct text t)
{
    int weight = 0, place = 1000;

    if (t.len == 0 || t.len > 5 || (t.ptr[0] != '0' && t.ptr[0] != '1') || (t.len > 1 && t.ptr[1] != '.'))
        return -1;
    for (size_t i = 0; i < t.len; i++) {
        if (i == 1)
            continue;
        if (!is_digit(t.ptr[i]))
            return -1;
        weight += (t.ptr[i] - '0') * place;
        place /= 10;
    }
    return weight <= 1000 ? weight : -1;
}

/* One named twice counts as the less of both. */
static void keep_weight(int *kept, int weight)
{
    if (*kept == 0 || weight + 1 < *kept)
        *kept = weight + 1;
}

static void read_coding(struct conditional *request, struct text item)
{
    struct text name = text_trim(text_cut(&item, ';'));
    int weight = 1000;

    while (item.len > 0) {
        struct text value = text_trim(text_cut(&item, ';')), key = text_trim(text_cut(&value, '='));
        if (text_equal_nocase(key, TEXT("q")))
            weight = read_weight(text_trim(value));
    }
    if (weight < 0)
        return; /* as if it was not named */
    if (text_equal_nocase(name, TEXT("gzip")) || text_equal_nocase(name, TEXT("x-gzip")))
        keep_weight(&request->gzip_q, weight);
    else if (text_equal_nocase(name, TEXT("identity")))
        keep_weight(&request->identity_q, weight);
    else if (text_is(name, "*"))
        keep_weight(&request->any_q, weight);
}

/* What is not named is as '*' says; without that gzip is not taken, and plain bytes are taken rather than nothing. */
static int weight_of(int named, int any)
{
    return named ? named - 1 : any ? any - 1 : 0;
}

static bool takes_plain(const struct conditional *request)
{
    return request->identity_q ? request->identity_q > 1 : request->any_q != 1;
}

static bool rather_gzip(const struct conditional *request)
{
    int gzip = weight_of(request->gzip_q, request->any_q), plain = weight_of(request->identity_q, request->any_q);

    return gzip > 0 && (gzip >= plain || !takes_plain(request));
}

/* --- If-None-Match ------------------------------------------------------------------------------------------------ */

/* The next entity tag of a list, without "W/" as the comparison is weak; false at the end, or where it makes no sense.
 */
static bool next_tag(struct text *rest, struct text *out)
{
    while (rest->len > 0 && strchr(" \t,", rest->ptr[0]))
        *rest = text_slice(*rest, 1, rest->len);
    if (text_starts(*rest, "W/"))
        *rest = text_slice(*rest, 2, rest->len);
    if (rest->len == 0 || rest->ptr[0] != '"')
        return false;
    const char *end = memchr(rest->ptr + 1, '"', rest->len - 1);
    if (!end)
        return false;
    *out = (struct text){rest->ptr, (size_t)(end + 1 - rest->ptr)};
    *rest = text_slice(*rest, out->len, rest->len);
    struct text behind = text_trim(*rest);
    return behind.len == 0 || behind.ptr[0] == ',';
}

static bool lists(const struct conditional *request, struct text tag)
{
    for (size_t i = 0; i < request->none_match_count; i++) {
        struct text rest = request->none_match[i], one;
        if (text_is(text_trim(rest), "*"))
            return true;
        while (next_tag(&rest, &one))
            if (text_equal(one, tag))
                return true;
    }
    return false;
}

/* --- Dates -------------------------------------------------------------------------------------------------------- */

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int month_of(const char *name)
{
    for (int i = 0; i < (int)ARRAY_LEN(months); i++)
        if (strcmp(name, months[i]) == 0)
            return i + 1;
    return 0;
}

/* As IMF-fixdate, which clock.h reads. */
static int parse_as_fixdate(int day, int month, int year, const char *time, int64_t *out_ms)
{
    char fixdate[64];

    if (month == 0 || strlen(time) != 8)
        return -1;
    snprintf(fixdate, sizeof fixdate, "Sun, %02d %s %04d %s GMT", day, months[month - 1], year, time);
    return moment_parse_http(text_of(fixdate), out_ms, NULL);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" and "Sun Nov  6 08:49:37 1994": no clean client has written them for long. */
static int parse_old(struct text t, int64_t *out_ms)
{
    char copy[64], name[16], month[4], time[9];
    int day, year, used = 0;

    if (t.len >= sizeof copy || memchr(t.ptr, '\0', t.len))
        return -1;
    memcpy(copy, t.ptr, t.len);
    copy[t.len] = '\0';
    if (sscanf(copy, "%9[A-Za-z], %2d-%3[A-Za-z]-%2d %8[0-9:] GMT%n", name, &day, month, &year, time, &used) == 5 &&
        used == (int)t.len && year >= 0)
        return parse_as_fixdate(day, month_of(month), year < 70 ? 2000 + year : 1900 + year, time, out_ms);
    if (sscanf(copy, "%3[A-Za-z] %3[A-Za-z] %2d %8[0-9:] %4d%n", name, month, &day, time, &year, &used) == 5 &&
        used == (int)t.len && year > 0)
        return parse_as_fixdate(day, month_of(month), year, time, out_ms);
    return -1;
}

int conditional_date_parse(struct text t, int64_t *out_ms)
{
    t = text_trim(t);
    return moment_parse_http(t, out_ms, NULL) == 0 ? 0 : parse_old(t, out_ms);
}

void conditional_date_write(int64_t at_ms, char out[CONDITIONAL_DATE_SIZE])
{
    struct civil c = civil_of(at_ms);

    snprintf(out, CONDITIONAL_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days[civil_weekday(c)],
             (unsigned)c.day % 100, months[c.month - 1], (unsigned)c.year % 10000, (unsigned)c.hour % 100,
             (unsigned)c.minute % 100, (unsigned)c.second % 100);
}

/* --- All together ------------------------------------------------------------------------------------------------- */

void conditional_field(struct conditional *request, struct text name, struct text value)
{
    if (text_equal_nocase(name, TEXT("If-None-Match"))) {
        if (request->none_match_count < CONDITIONAL_LINES)
            request->none_match[request->none_match_count++] = value;
    } else if (text_equal_nocase(name, TEXT("If-Modified-Since"))) {
        request->modified_since = value;
        request->modified_since_count++;
    } else if (text_equal_nocase(name, TEXT("Accept-Encoding"))) {
        while (value.len > 0)
            read_coding(request, text_cut(&value, ','));
    }
}

/* Asked only by who sent no If-None-Match (section 13.1.3); a date has no milliseconds. */
static bool unmodified(const struct conditional *request, int64_t modified_at_ms)
{
    int64_t since_ms;

    return request->none_match_count == 0 && request->modified_since_count == 1 && modified_at_ms != MOMENT_NONE &&
           conditional_date_parse(request->modified_since, &since_ms) == 0 &&
           modified_at_ms - modified_at_ms % SECOND_MS <= since_ms;
}

struct conditional_choice conditional_choose(const struct conditional *request, const struct conditional_forms *forms)
{
    bool has_gzip = forms->gzip.len > 0, gzip = has_gzip && rather_gzip(request),
         takes_other = gzip ? takes_plain(request) : has_gzip && weight_of(request->gzip_q, request->any_q) > 0;
    struct text wanted = gzip ? forms->gzip : forms->plain, other = gzip ? forms->plain : forms->gzip;

    if (lists(request, wanted) || unmodified(request, forms->modified_at_ms))
        return (struct conditional_choice){.gzip = gzip, .has_it = true};
    if (takes_other && lists(request, other))
        return (struct conditional_choice){.gzip = !gzip, .has_it = true};
    return (struct conditional_choice){.gzip = gzip};
}
