/* message_sheet.c - what of the messages of one view can be made once: its templates with everything filled in but what
 * is of the person, and of that all whole lines encoded. A message is then mostly copied; only the lines that a
 * person's values stand in are encoded anew. It has the bytes that render() and mime_build() give. */
#include "message_private.h"
#include "values.h"

#include <string.h>

enum slot { SLOT_NAME, SLOT_FIRST_NAME, SLOT_URL, SLOT_ATTRIBUTES }; /* and from the last on: attributes by name */
enum { ATTRIBUTES_MAX = 32, SLOTS_MAX = SLOT_ATTRIBUTES + ATTRIBUTES_MAX };

/* A piece of a part: as in struct render_form, but that whole lines are encoded already. */
struct sheet_piece {
    enum { SHEET_LINES, SHEET_TEXT, SHEET_SLOT, SHEET_IF, SHEET_UNLESS } kind;
    bool html;
    unsigned slot;
    struct text text; /* SHEET_LINES: as it goes out; it begins where a line begins */
    size_t plain_len; /* before it was encoded */
    size_t end;
};

struct sheet_part {
    struct sheet_piece *pieces;
    size_t count, cap;
};

struct sheet {
    struct mime_common common;
    struct render_form *subject; /* NULL: it is the same for all, and in `common` */
    struct sheet_part text, html;
    const char *attributes[ATTRIBUTES_MAX];
    size_t attribute_count;
    struct arena arena;
};

/* --- Making one --------------------------------------------------------------------------------------------------- */

/* Names as values_person() and render_parts() make them. */
static int slot_of(void *ctx, const char *const *parts, size_t part_count)
{
    struct sheet *sheet = ctx;
    bool person = strcmp(parts[0], "person") == 0, attribute = strcmp(parts[0], "attributes") == 0;

    if (strcmp(parts[0], "unsubscribe_url") == 0)
        return part_count == 1 ? SLOT_URL : RENDER_NO_SLOT;
    if (!person && !attribute)
        return RENDER_COMMON;
    if (part_count != 2)
        return RENDER_NO_SLOT;
    if (person)
        return strcmp(parts[1], "name") == 0         ? SLOT_NAME
               : strcmp(parts[1], "first_name") == 0 ? SLOT_FIRST_NAME
                                                     : RENDER_NO_SLOT;
    size_t i = 0;
    while (i < sheet->attribute_count && strcmp(sheet->attributes[i], parts[1]) != 0)
        i++;
    if (i == ATTRIBUTES_MAX)
        return RENDER_NO_SLOT;
    if (i == sheet->attribute_count)
        sheet->attributes[sheet->attribute_count++] = arena_copy(&sheet->arena, text_of(parts[1]));
    return SLOT_ATTRIBUTES + (int)i;
}

static struct sheet_piece *add_piece(struct sheet_part *part, struct sheet_piece piece)
{
    if (part->count == part->cap) {
        part->cap = part->cap ? 2 * part->cap : 16;
        part->pieces = must_realloc(part->pieces, part->cap * sizeof *part->pieces);
    }
    part->pieces[part->count] = piece;
    return &part->pieces[part->count++];
}

static void add_text(struct sheet *sheet, struct sheet_part *part, struct text text)
{
    if (text.len > 0)
        add_piece(part, (struct sheet_piece){.kind = SHEET_TEXT,
                                             .text = {arena_copy(&sheet->arena, text), text.len},
                                             .plain_len = text.len});
}

static void add_lines(struct sheet *sheet, struct sheet_part *part, struct text lines)
{
    auto_buf struct buf encoded = {0};

    if (lines.len == 0)
        return;
    buf_init(&encoded, 4 * lines.len + 2); /* "=0A" for each byte, and soft line ends */
    mime_quote(lines, &encoded);
    add_piece(part, (struct sheet_piece){.kind = SHEET_LINES,
                                         .text = {arena_copy(&sheet->arena, buf_text(&encoded)), encoded.len},
                                         .plain_len = lines.len});
}

/* A line ends with LF and nowhere else: what stands behind a lone CR may yet turn out to be one. */
static bool add_split(struct sheet *sheet, struct sheet_part *part, struct text text, bool line_starts)
{
    const char *last = memrchr(text.ptr, '\n', text.len);
    size_t head = 0, whole = last ? (size_t)(last - text.ptr) + 1 : 0;

    if (!line_starts)
        head = whole > 0 ? (size_t)((const char *)memchr(text.ptr, '\n', text.len) - text.ptr) + 1 : text.len;
    if (whole < head)
        whole = head;
    add_text(sheet, part, text_slice(text, 0, head));
    add_lines(sheet, part, text_slice(text, head, whole));
    add_text(sheet, part, text_slice(text, whole, text.len));
    return text.ptr[text.len - 1] == '\n';
}

/* `line_starts`: a line begins here, whoever the person is. Returns the same of the end. */
static bool add_pieces(struct sheet *sheet, struct sheet_part *part, const struct render_form *form, size_t from,
                       size_t to, bool line_starts)
{
    for (size_t i = from; i < to; i++) {
        const struct render_piece *piece = &form->pieces[i];
        if (piece->kind == RENDER_TEXT) {
            line_starts = add_split(sheet, part, piece->text, line_starts);
        } else if (piece->kind == RENDER_SLOT) {
            add_piece(part, (struct sheet_piece){.kind = SHEET_SLOT, .slot = piece->slot, .html = piece->html});
            line_starts = false;
        } else {
            size_t at = part->count;
            add_piece(part, (struct sheet_piece){.kind = piece->kind == RENDER_IF ? SHEET_IF : SHEET_UNLESS,
                                                 .slot = piece->slot});
            line_starts &= add_pieces(sheet, part, form, i + 1, piece->end, line_starts);
            part->pieces[at].end = part->count;
            i = piece->end - 1;
        }
    }
    return line_starts;
}

/* False: it cannot be prepared, or may turn out to be empty. */
static bool prepare_part(struct sheet *sheet, struct sheet_part *part, const struct view *view,
                         const struct render_template *template)
{
    struct render_form *form = render_form_new(template, view->values, slot_of, sheet);
    bool there = false;

    if (!form)
        return false;
    add_pieces(sheet, part, form, 0, form->count, true);
    for (size_t i = 0; i < part->count && !there; i++) {
        there = part->pieces[i].kind == SHEET_LINES || part->pieces[i].kind == SHEET_TEXT;
        if (part->pieces[i].end)
            i = part->pieces[i].end - 1;
    }
    render_form_free(form);
    return there;
}

static bool prepare_subject(struct sheet *sheet, const struct view *view)
{
    sheet->subject = render_form_new(view->language->subject, view->values, slot_of, sheet);
    if (!sheet->subject)
        return false;
    if (sheet->subject->count != 1 || sheet->subject->pieces[0].kind != RENDER_TEXT)
        return true;
    if (sheet->subject->pieces[0].text.len > SUBJECT_MAX)
        return false;
    mime_subject(sheet->subject->pieces[0].text, &sheet->common.subject);
    render_form_free(sheet->subject);
    sheet->subject = NULL;
    return true;
}

struct sheet *sheet_new(const struct view *view, const struct mime_message *like)
{
    struct sheet *sheet = must_calloc(1, sizeof *sheet);

    mime_common_init(&sheet->common, like);
    if (prepare_subject(sheet, view) && prepare_part(sheet, &sheet->text, view, view->language->text) &&
        prepare_part(sheet, &sheet->html, view, view->language->html))
        return sheet;
    sheet_free(sheet);
    return NULL;
}

void sheet_free(struct sheet *sheet)
{
    if (!sheet)
        return;
    mime_common_clear(&sheet->common);
    render_form_free(sheet->subject);
    free(sheet->text.pieces);
    free(sheet->html.pieces);
    arena_clear(&sheet->arena);
    free(sheet);
}

size_t sheet_bytes(const struct sheet *sheet)
{
    return sheet->arena.used + (sheet->text.cap + sheet->html.cap) * sizeof(struct sheet_piece);
}

/* --- One message -------------------------------------------------------------------------------------------------- */

/* One person's texts; empty ones are not there. */
struct filling {
    struct text slots[SLOTS_MAX];
    json_t *values; /* some texts lie in it */
};

static bool take_attributes(const struct sheet *sheet, struct filling *filling, struct text attributes)
{
    if (sheet->attribute_count == 0 || attributes.len == 0)
        return true;
    filling->values = values_person((struct text){0}, attributes);
    const json_t *known = json_object_get(filling->values, "attributes");
    for (size_t i = 0; i < sheet->attribute_count; i++) {
        const json_t *value = json_object_get(known, sheet->attributes[i]);
        if (value && !json_is_string(value))
            return false;
        filling->slots[SLOT_ATTRIBUTES + i] = (struct text){json_string_value(value), json_string_length(value)};
    }
    return true;
}

/* `line`: what has been written since the last lines that were encoded before. */
static bool fill_part(const struct sheet_part *part, const struct filling *filling, struct buf *line, struct buf *out)
{
    size_t len = 0; /* of the text, as render() would have it */

    buf_reset(line);
    for (size_t i = 0; i < part->count; i++) {
        const struct sheet_piece *piece = &part->pieces[i];
        const struct text value = filling->slots[piece->slot];
        switch (piece->kind) {
        case SHEET_LINES:
            len += line->len + piece->plain_len;
            mime_quote(buf_text(line), out);
            buf_reset(line);
            buf_add_text(out, piece->text);
            break;
        case SHEET_TEXT:
            buf_add_text(line, piece->text);
            break;
        case SHEET_SLOT:
            if (value.len == 0)
                return false;
            (piece->html ? buf_add_html : buf_add_text)(line, value);
            break;
        case SHEET_IF:
        case SHEET_UNLESS:
            if ((piece->kind == SHEET_IF) != (value.len > 0))
                i = piece->end - 1;
            break;
        }
    }
    len += line->len;
    mime_quote(buf_text(line), out);
    return len <= PART_MAX && !buf_failed(line);
}

static bool write_message(const struct sheet *sheet, struct message_batch *batch, const struct filling *filling,
                          struct mime_message *message, struct buf *out)
{
    struct error err = {0}; /* the templates say it again */

    if (sheet->subject) {
        buf_reset(&batch->subject);
        if (!render_form_fill(sheet->subject, filling->slots, &batch->subject))
            return false;
        message->subject = buf_text(&batch->subject);
    }
    if (mime_begin(message, &sheet->common, true, out, &err) < 0)
        return false;
    mime_part(message, MIME_TEXT, true, out);
    if (!fill_part(&sheet->text, filling, &batch->text, out))
        return false;
    mime_part(message, MIME_HTML, true, out);
    return fill_part(&sheet->html, filling, &batch->html, out) && mime_end(message, true, out, &err) == 0;
}

bool sheet_write(const struct sheet *sheet, struct message_batch *batch, const struct message_person *person,
                 struct mime_message *message, struct buf *out)
{
    struct text name = buf_text(&batch->name);
    struct filling filling = {.slots = {
                                  [SLOT_NAME] = name,
                                  [SLOT_FIRST_NAME] = values_first_name(name),
                                  [SLOT_URL] = buf_text(&batch->url),
                              }};

    bool written =
        take_attributes(sheet, &filling, person->attributes) && write_message(sheet, batch, &filling, message, out);
    json_decref(filling.values);
    return written;
}
