#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text from outside may hold line ends or be cut within a character: what is shown to people is one whole line. */
static void tidy(char *text, size_t size)
{
    size_t len = strlen(text);

    if (len == size - 1) {
        while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
            len--;
        if (len > 0 && (unsigned char)text[len - 1] >= 0xC0)
            len--;
        if (len < strlen(text) - 4 || (unsigned char)text[len] >= 0x80)
            text[len] = '\0';
    }
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list args;

    if (!err || err->kind != ERROR_NONE)
        return -1;
    err->kind = kind;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    tidy(err->text, sizeof err->text);
    return -1;
}

int error_at(struct error *err, const char *format, ...)
{
    char place[sizeof err->text];
    va_list args;

    if (!err || err->kind == ERROR_NONE)
        return -1;
    va_start(args, format);
    vsnprintf(place, sizeof place, format, args);
    va_end(args);

    char whole[2 * sizeof err->text + 2];
    snprintf(whole, sizeof whole, "%s: %s", place, err->text);
    whole[sizeof err->text - 1] = '\0';
    memcpy(err->text, whole, sizeof err->text);
    tidy(err->text, sizeof err->text);
    return -1;
}
