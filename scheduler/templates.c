#include "templates.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

enum { SOURCE_MAX = 256 * 1024 }; /* bytes of one file */

static const struct part {
    const char *ending;
    size_t offset; /* in struct templates_language */
} email_parts[] = {{"subject", offsetof(struct templates_language, subject)},
                   {"html", offsetof(struct templates_language, html)},
                   {"txt", offsetof(struct templates_language, text)}},
  page_parts[] = {{"html", offsetof(struct templates_language, html)}},
  calendar_parts[] = {{"txt", offsetof(struct templates_language, text)}};

static const struct {
    const char *stem;
    const struct part *parts;
    size_t count;
    const char *all, *one; /* in errors */
} kinds[] = {
    [TEMPLATES_EMAIL] = {"email", email_parts, ARRAY_LEN(email_parts), "email.subject, email.html and email.txt",
                         "email.subject, email.html, email.txt, or the same with a language such as email.de.html"},
    [TEMPLATES_PAGE] = {"page", page_parts, ARRAY_LEN(page_parts), "page.html",
                        "page.html, or the same with a language such as page.de.html"},
    [TEMPLATES_CALENDAR] = {"event", calendar_parts, ARRAY_LEN(calendar_parts), "event.txt",
                            "event.txt, or the same with a language such as event.de.txt"},
};

struct source {
    struct source *next;
    struct text bytes; /* in the arena */
};

struct templates {
    char *name;
    enum templates_kind kind;
    const char *const *folders; /* borrowed while reading */
    const char *folder;         /* the one that has NAME */
    struct templates_language *languages;
    size_t count;
    struct arena arena;
    struct source *sources;
    uint64_t hash;
};

/* FNV-1a. */
static void hash_bytes(uint64_t *hash, struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        *hash = (*hash ^ (unsigned char)t.ptr[i]) * 0x100000001b3;
    *hash = (*hash ^ 0xFF) * 0x100000001b3; /* an end that no UTF-8 text has */
}

/* 1: read, 0: there is no such file. */
static int read_source(struct templates *templates, const char *path, struct text *out, struct error *err)
{
    auto_buf struct buf bytes;

    buf_init(&bytes, SOURCE_MAX);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (buf_add_file(&bytes, path, err) < 0)
        return error_at(err, "%s", path);

    struct source *source = arena_alloc(&templates->arena, sizeof *source);
    source->bytes = (struct text){arena_copy(&templates->arena, buf_text(&bytes)), bytes.len};
    source->next = templates->sources;
    templates->sources = source;
    hash_bytes(&templates->hash, source->bytes);
    *out = source->bytes;
    return 1;
}

static bool is_word(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!((t.ptr[i] >= '0' && t.ptr[i] <= '9') || (t.ptr[i] >= 'a' && t.ptr[i] <= 'z') ||
              (t.ptr[i] >= 'A' && t.ptr[i] <= 'Z') || t.ptr[i] == '-' || t.ptr[i] == '_'))
            return false;
    return t.len > 0;
}

/* --- Partials ----------------------------------------------------------------------------------------------------- */

struct lookup {
    struct templates *templates;
    const char *language, *part;
    struct error *err; /* a file that is there and cannot be read */
};

static bool find_partial(void *ctx, struct text name, struct text *source)
{
    struct lookup *lookup = ctx;

    if (!is_word(name))
        return false;
    for (const char *const *folder = lookup->templates->folders; *folder; folder++) {
        for (int suffix = 1; suffix >= 0; suffix--) {
            auto_buf struct buf path;
            buf_init(&path, 4096);
            buf_addf(&path, "%s/partials/%.*s%s%s.%s", *folder, TEXT_ARGS(name), suffix ? "." : "",
                     suffix ? lookup->language : "", lookup->part);
            int rc = read_source(lookup->templates, path.ptr, source, lookup->err);
            if (rc != 0)
                return rc > 0;
        }
    }
    return false;
}

/* --- Languages ---------------------------------------------------------------------------------------------------- */

static struct render_template *read_part(struct templates *templates, const char *language, bool suffix,
                                         const char *part, struct error *err)
{
    struct lookup lookup = {templates, language, part, err};
    auto_buf struct buf label, path;
    struct text source = {0};
    struct render_template *template;
    int rc;

    buf_init(&label, 400);
    buf_init(&path, 4096);
    buf_addf(&label, "%s/%s%s%s.%s", templates->name, kinds[templates->kind].stem, suffix ? "." : "",
             suffix ? language : "", part);
    buf_addf(&path, "%s/%s", templates->folder, label.ptr);
    rc = read_source(templates, path.ptr, &source, err);
    if (rc == 0)
        error_set(err, ERROR_CONFIG, "%s is missing: every language needs %s", path.ptr, kinds[templates->kind].all);
    if (rc <= 0)
        return NULL;
    hash_bytes(&templates->hash, buf_text(&label));
    template = render_compile(label.ptr, source, strcmp(part, "html") == 0 ? RENDER_HTML : RENDER_PLAIN, find_partial,
                              &lookup, err);
    if (template && err && err->kind != ERROR_NONE) { /* a partial could not be read */
        render_free(template);
        return NULL;
    }
    return template;
}

static int read_language(struct templates *templates, struct templates_language *language, bool suffix,
                         struct error *err)
{
    for (size_t i = 0; i < kinds[templates->kind].count; i++) {
        const struct part *part = &kinds[templates->kind].parts[i];
        struct render_template *compiled = read_part(templates, language->tag, suffix, part->ending, err);
        if (!compiled)
            return -1;
        *(struct render_template **)((char *)language + part->offset) = compiled;
    }
    return 0;
}

static struct templates_language *find_language(const struct templates *templates, struct text tag)
{
    for (size_t i = 0; i < templates->count; i++)
        if (text_equal_nocase(text_of(templates->languages[i].tag), tag))
            return &templates->languages[i];
    return NULL;
}

static void add_language(struct templates *templates, struct text tag)
{
    struct templates_language *language;

    templates->languages = must_realloc(templates->languages, (templates->count + 1) * sizeof *templates->languages);
    language = &templates->languages[templates->count++];
    *language = (struct templates_language){0};
    memcpy(language->tag, tag.ptr, tag.len);
}

/* "email.de.html" adds "de"; the parts of the default language have no suffix. */
static int note_file(struct templates *templates, const char *file, struct error *err)
{
    struct text rest = text_of(file), tag, part;
    const struct part *parts = kinds[templates->kind].parts;

    if (!text_is(text_cut(&rest, '.'), kinds[templates->kind].stem) || file[strlen(file) - 1] == '~')
        return 0;
    tag = text_cut(&rest, '.');
    part = rest.len ? rest : tag;
    for (size_t i = 0; i < kinds[templates->kind].count; i++) {
        if (!text_is(part, parts[i].ending))
            continue;
        if (rest.len == 0)
            return 0;
        if (!is_word(tag) || tag.len > LANGUAGE_MAX)
            break;
        struct templates_language *known = find_language(templates, tag);
        if (known == templates->languages)
            return error_set(err, ERROR_CONFIG, "%s/%s: the default language has no suffix: %s.%s", templates->name,
                             file, kinds[templates->kind].stem, parts[i].ending);
        if (!known)
            add_language(templates, tag);
        return 0;
    }
    return error_set(err, ERROR_CONFIG, "%s/%s: expected %s", templates->name, file, kinds[templates->kind].one);
}

static int by_tag(const void *a, const void *b)
{
    return strcmp(((const struct templates_language *)a)->tag, ((const struct templates_language *)b)->tag);
}

static DIR *open_folder(struct templates *templates, struct error *err)
{
    auto_buf struct buf searched;

    buf_init(&searched, 400);
    for (const char *const *folder = templates->folders; *folder; folder++) {
        auto_buf struct buf path;
        buf_init(&path, 4096);
        buf_addf(&path, "%s/%s", *folder, templates->name);
        DIR *dir = is_word(text_of(templates->name)) ? opendir(path.ptr) : NULL;
        if (dir) {
            templates->folder = *folder;
            return dir;
        }
        buf_addf(&searched, "%s%s", searched.len ? ", " : "", *folder);
    }
    error_set(err, ERROR_CONFIG, "there is no template \"%s\" (searched: %s)", templates->name,
              searched.ptr ? searched.ptr : "nowhere");
    return NULL;
}

static int read_all(struct templates *templates, struct error *err)
{
    DIR *dir = open_folder(templates, err);
    const struct dirent *entry;
    int rc = 0;

    if (!dir)
        return -1;
    while (rc == 0 && (entry = readdir(dir)))
        rc = note_file(templates, entry->d_name, err);
    closedir(dir);
    if (rc < 0)
        return -1;
    qsort(templates->languages + 1, templates->count - 1, sizeof *templates->languages, by_tag);
    for (size_t i = 0; i < templates->count; i++)
        if (read_language(templates, &templates->languages[i], i > 0, err) < 0)
            return -1;
    return 0;
}

struct templates *templates_read(const char *const *folders, const char *name, enum templates_kind kind,
                                 const char *default_language, struct error *err)
{
    struct templates *templates = must_calloc(1, sizeof *templates);
    struct text tag = text_of(default_language);

    templates->name = must_strdup(name);
    templates->kind = kind;
    templates->folders = folders;
    templates->hash = 0xcbf29ce484222325;
    if (!is_word(tag) || tag.len > LANGUAGE_MAX) {
        error_set(err, ERROR_CONFIG, "expected a language such as en or pt-BR, found \"%.*s\"",
                  TEXT_ARGS(text_slice(tag, 0, 60)));
        goto fail;
    }
    add_language(templates, tag);
    if (read_all(templates, err) < 0)
        goto fail;
    templates->folders = NULL;
    return templates;
fail:
    templates_free(templates);
    return NULL;
}

void templates_free(struct templates *templates)
{
    if (!templates)
        return;
    for (size_t i = 0; i < templates->count; i++) {
        render_free(templates->languages[i].subject);
        render_free(templates->languages[i].html);
        render_free(templates->languages[i].text);
    }
    free(templates->languages);
    free(templates->name);
    arena_clear(&templates->arena);
    free(templates);
}

const char *templates_name(const struct templates *templates)
{
    return templates->name;
}

size_t templates_count(const struct templates *templates)
{
    return templates->count;
}

const struct templates_language *templates_at(const struct templates *templates, size_t i)
{
    return &templates->languages[i];
}

/* Two tags with '_' as '-', either case. */
static bool same_tag(const char *tag, struct text locale)
{
    size_t i = 0;

    for (; i < locale.len && tag[i]; i++) {
        char a = tag[i] == '_' ? '-' : tag[i], b = locale.ptr[i] == '_' ? '-' : locale.ptr[i];
        if (!text_equal_nocase((struct text){&a, 1}, (struct text){&b, 1}))
            return false;
    }
    return i == locale.len && !tag[i];
}

const struct templates_language *templates_pick(const struct templates *templates, struct text locale)
{
    size_t language = 0;

    if (locale.len == 0)
        return NULL;
    while (language < locale.len && locale.ptr[language] != '-' && locale.ptr[language] != '_')
        language++;
    for (size_t i = 0; i < templates->count; i++)
        if (same_tag(templates->languages[i].tag, locale))
            return &templates->languages[i];
    for (size_t i = 0; i < templates->count; i++)
        if (same_tag(templates->languages[i].tag, text_slice(locale, 0, language)))
            return &templates->languages[i];
    return NULL;
}

uint64_t templates_hash(const struct templates *templates)
{
    return templates->hash;
}

bool templates_mention(const struct templates *templates, const char *word)
{
    for (const struct source *source = templates->sources; source; source = source->next)
        if (memmem(source->bytes.ptr, source->bytes.len, word, strlen(word)))
            return true;
    return false;
}
