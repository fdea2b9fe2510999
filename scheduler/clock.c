#include "clock.h"

#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t machine_wall_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static int64_t machine_mono_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock clock_machine = {.wall_ms = machine_wall_ms, .mono_ms = machine_mono_ms};

/* Days since 1970-01-01; years begin in March so that the leap day comes last. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct civil civil_of(int64_t at_ms)
{
    int64_t days = floor_div(at_ms, DAY_MS), rest = at_ms % DAY_MS + (at_ms % DAY_MS < 0 ? DAY_MS : 0);
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);

    return (struct civil){
        .year = (int)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .hour = (int)(rest / HOUR_MS),
        .minute = (int)(rest / MINUTE_MS % 60),
        .second = (int)(rest / SECOND_MS % 60),
        .ms = (int)(rest % SECOND_MS),
    };
}

int64_t civil_to_ms(struct civil civil)
{
    int64_t months = (int64_t)civil.year * 12 + civil.month - 1;
    int64_t days = days_of(floor_div(months, 12), (int)(months - floor_div(months, 12) * 12) + 1, 1) + civil.day - 1;

    return days * DAY_MS + (int64_t)civil.hour * HOUR_MS + (int64_t)civil.minute * MINUTE_MS +
           (int64_t)civil.second * SECOND_MS + civil.ms;
}

int civil_weekday(struct civil civil)
{
    int64_t days = days_of(civil.year, civil.month, civil.day) + 4; /* 1970-01-01 was a Thursday */

    return (int)(days - floor_div(days, 7) * 7);
}

void buf_add_moment(struct buf *buf, int64_t at_ms)
{
    struct civil c = civil_of(at_ms);

    buf_addf(buf, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month, c.day, c.hour, c.minute, c.second, c.ms);
}

/* Reads exactly `count` digits within min..max and moves on; -1 when they are not there. */
static int digits(struct text *t, size_t count, int min, int max, int *out)
{
    int value = 0;

    if (t->len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (t->ptr[i] < '0' || t->ptr[i] > '9')
            return -1;
        value = value * 10 + (t->ptr[i] - '0');
    }
    *t = text_slice(*t, count, t->len);
    *out = value;
    return value < min || value > max ? -1 : 0;
}

static int one_of(struct text *t, const char *allowed)
{
    if (t->len == 0 || t->ptr[0] == '\0' || !strchr(allowed, t->ptr[0]))
        return -1;
    int c = (unsigned char)t->ptr[0];
    *t = text_slice(*t, 1, t->len);
    return c;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static int read_fraction(struct text *t, int *ms)
{
    int scale = 100, count = 0;

    *ms = 0;
    if (one_of(t, ".") < 0)
        return 0;
    for (; t->len > 0 && t->ptr[0] >= '0' && t->ptr[0] <= '9'; count++, scale /= 10) {
        *ms += (t->ptr[0] - '0') * scale;
        *t = text_slice(*t, 1, t->len);
    }
    return count >= 1 && count <= 9 ? 0 : -1;
}

static int read_offset(struct text *t, int64_t *offset_ms)
{
    int sign = one_of(t, "Zz+-"), hours, minutes;

    *offset_ms = 0;
    if (sign < 0)
        return -1;
    if (sign == 'Z' || sign == 'z')
        return 0;
    if (digits(t, 2, 0, 23, &hours) < 0 || one_of(t, ":") < 0 || digits(t, 2, 0, 59, &minutes) < 0)
        return -1;
    *offset_ms = (sign == '-' ? -1 : 1) * ((int64_t)hours * HOUR_MS + (int64_t)minutes * MINUTE_MS);
    return 0;
}

int moment_parse(struct text t, int64_t *out_ms, struct error *err)
{
    struct civil c = {0};
    struct text whole = t;
    int64_t offset_ms;

    if (digits(&t, 4, 1, 9999, &c.year) < 0 || one_of(&t, "-") < 0 || digits(&t, 2, 1, 12, &c.month) < 0 ||
        one_of(&t, "-") < 0 || digits(&t, 2, 1, 31, &c.day) < 0 || c.day > days_in_month(c.year, c.month) ||
        one_of(&t, "Tt ") < 0 || digits(&t, 2, 0, 23, &c.hour) < 0 || one_of(&t, ":") < 0 ||
        digits(&t, 2, 0, 59, &c.minute) < 0 || one_of(&t, ":") < 0 || digits(&t, 2, 0, 60, &c.second) < 0 ||
        read_fraction(&t, &c.ms) < 0 || read_offset(&t, &offset_ms) < 0 || t.len != 0)
        return error_set(err, ERROR_REFUSED, "expected a time such as 2027-03-26T08:00:00Z, found \"%.*s\"",
                         TEXT_ARGS(text_slice(whole, 0, 60)));
    *out_ms = civil_to_ms(c) - offset_ms;
    return 0;
}

int moment_parse_http(struct text t, int64_t *out_ms, struct error *err)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = {0};
    struct text whole = t;

    t = text_trim(t);
    if (t.len < 5 || t.ptr[3] != ',' || t.ptr[4] != ' ')
        goto bad;
    t = text_slice(t, 5, t.len);
    if (digits(&t, 2, 1, 31, &c.day) < 0 || one_of(&t, " ") < 0 || t.len < 3)
        goto bad;
    for (size_t i = 0; i < ARRAY_LEN(months); i++)
        if (text_is(text_slice(t, 0, 3), months[i]))
            c.month = (int)i + 1;
    t = text_slice(t, 3, t.len);
    if (c.month == 0 || one_of(&t, " ") < 0 || digits(&t, 4, 1, 9999, &c.year) < 0 || one_of(&t, " ") < 0 ||
        digits(&t, 2, 0, 23, &c.hour) < 0 || one_of(&t, ":") < 0 || digits(&t, 2, 0, 59, &c.minute) < 0 ||
        one_of(&t, ":") < 0 || digits(&t, 2, 0, 60, &c.second) < 0 || !text_is(t, " GMT") ||
        c.day > days_in_month(c.year, c.month))
        goto bad;
    *out_ms = civil_to_ms(c);
    return 0;
bad:
    return error_set(err, ERROR_REFUSED, "expected an HTTP date, found \"%.*s\"", TEXT_ARGS(text_slice(whole, 0, 60)));
}
