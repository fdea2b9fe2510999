#include "channel_private.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

static const enum config_type types[] = {
    [NOTIFIER_TEXT] = CONFIG_TEXT, [NOTIFIER_BOOL] = CONFIG_BOOL, [NOTIFIER_INT] = CONFIG_INT,
    [NOTIFIER_SPAN] = CONFIG_SPAN, [NOTIFIER_SIZE] = CONFIG_SIZE, [NOTIFIER_SECRET] = CONFIG_SECRET,
    [NOTIFIER_PATH] = CONFIG_PATH, [NOTIFIER_WORD] = CONFIG_WORD,
};
static const size_t sizes[] = {
    [NOTIFIER_TEXT] = sizeof(char *),  [NOTIFIER_BOOL] = sizeof(bool),    [NOTIFIER_INT] = sizeof(int64_t),
    [NOTIFIER_SPAN] = sizeof(int64_t), [NOTIFIER_SIZE] = sizeof(int64_t), [NOTIFIER_SECRET] = sizeof(char *),
    [NOTIFIER_PATH] = sizeof(char *),  [NOTIFIER_WORD] = sizeof(int),
};

static bool is_ours(const char *name)
{
    for (const struct config_option *option = channel_options; option->name; option++)
        if (strcmp(option->name, name) == 0)
            return true;
    return false;
}

static struct config_option *translate(const struct notifier *notifier, struct error *err)
{
    size_t count = 0;

    while (notifier->options && notifier->options[count].name)
        count++;
    struct config_option *options = must_calloc(count + 1, sizeof *options);
    for (size_t i = 0; i < count; i++) {
        const struct notifier_option *from = &notifier->options[i];
        if ((unsigned)from->type >= ARRAY_LEN(types) || from->offset + sizes[from->type] > notifier->state_size ||
            (from->type == NOTIFIER_WORD && !from->words) || is_ours(from->name)) {
            error_set(err, ERROR_CONFIG, "its option \"%s\" is described wrongly", from->name);
            free(options);
            return NULL;
        }
        options[i] = (struct config_option){
            .name = from->name,
            .type = types[from->type],
            .offset = from->offset,
            .required = from->required,
            .fallback = from->fallback,
            .min = from->min,
            .max = from->max,
            .words = from->words,
        };
    }
    return options;
}

static int check(const struct notifier *notifier, struct error *err)
{
    if (notifier->abi != NOTIFIER_ABI)
        return error_set(err, ERROR_CONFIG, "it was built for ABI %u, this is %u", notifier->abi, NOTIFIER_ABI);
    /* While the number is 0 nobody counts what changes: newer files beside a daemon that still runs are no match
     * either. */
    if (notifier->size != sizeof *notifier)
        return error_set(err, ERROR_CONFIG, "it was built with %s notifier.h: %s",
                         notifier->size < sizeof *notifier ? "an older" : "a newer",
                         notifier->size < sizeof *notifier ? "build it again" : "restart the daemon that came with it");
    if (!notifier->name || notifier->state_size == 0 || !notifier->open || !notifier->send || !notifier->close)
        return error_set(err, ERROR_CONFIG, "it lacks a name, state_size, open, send or close");
    if (!(notifier->flags & NOTIFIER_TAKES_RAW))
        return error_set(err, ERROR_CONFIG, "it does not take raw messages");
    return 0;
}

/* `path` has a slash: without one the dynamic linker would search elsewhere. What is loaded stays: the same path leads
 * to the same object for as long as the process lives, whatever lies there meanwhile. */
static struct channel_plugin *load(const char *path, struct error *err)
{
    uv_lib_t lib;
    void *symbol;

    if (uv_dlopen(path, &lib) < 0) {
        error_set(err, ERROR_CONFIG, "%s", uv_dlerror(&lib));
        uv_dlclose(&lib); /* frees the text */
        return NULL;
    }
    if (uv_dlsym(&lib, "notifier", &symbol) < 0 || !symbol) {
        error_set(err, ERROR_CONFIG, "%s: no notifier: it exports no symbol of that name", path);
        uv_dlclose(&lib);
        return NULL;
    }
    struct config_option *options = NULL;
    if (check(symbol, err) < 0 || !(options = translate(symbol, err))) {
        error_at(err, "%s", path);
        return NULL;
    }
    struct channel_plugin *plugin = must_calloc(1, sizeof *plugin);
    plugin->notifier = symbol;
    plugin->options = options;
    return plugin;
}

/* What lies in the folders, for "did you mean". */
static void add_known(struct buf *buf, const char *const *folders, const char *name)
{
    const char *known[64];
    size_t count = 0;

    for (; *folders; folders++) {
        DIR *dir = opendir(*folders);
        struct dirent *entry;
        while (dir && count < ARRAY_LEN(known) && (entry = readdir(dir))) {
            size_t len = strlen(entry->d_name);
            if (len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0)
                known[count++] = text_dup((struct text){entry->d_name, len - 3});
        }
        if (dir)
            closedir(dir);
    }
    buf_add_suggestion(buf, name, known, count);
    while (count-- > 0)
        free((char *)(uintptr_t)known[count]);
}

struct channel_plugin *channel_plugin_find(const char *const *folders, const char *name, struct error *err)
{
    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] != '\0') {
        error_set(err, ERROR_CONFIG, "\"%.60s\" is no name of a plugin (a-z, 0-9, _ and -)", name);
        return NULL;
    }
    for (const char *const *folder = folders; *folder; folder++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s%s/%s.so", strchr(*folder, '/') ? "" : "./", *folder, name) >=
                (int)sizeof path ||
            access(path, R_OK) < 0)
            continue;
        return load(path, err);
    }
    auto_buf struct buf text;
    buf_init(&text, 400);
    buf_addf(&text, "unknown plugin \"%.60s\"", name);
    add_known(&text, folders, name);
    error_set(err, ERROR_CONFIG, "%s", text.ptr);
    return NULL;
}

void channel_plugin_free(struct channel_plugin *plugin)
{
    if (!plugin)
        return;
    free(plugin->options);
    free(plugin);
}

const struct config_option *channel_plugin_options(const struct channel_plugin *plugin)
{
    return plugin->options;
}

static bool is_text(const struct notifier_option *option)
{
    return option->type == NOTIFIER_TEXT || option->type == NOTIFIER_SECRET || option->type == NOTIFIER_PATH;
}

void channel_plugin_own(const struct notifier *notifier, void *state, struct arena *arena)
{
    for (const struct notifier_option *option = notifier->options; option && option->name; option++) {
        const char **text = (const char **)((char *)state + option->offset);
        if (is_text(option) && *text)
            *text = arena_copy(arena, text_of(*text));
    }
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool channel_plugin_same(const struct notifier *notifier, const void *a, const void *b)
{
    for (const struct notifier_option *option = notifier->options; option && option->name; option++) {
        const char *one = (const char *)a + option->offset, *other = (const char *)b + option->offset;
        if (is_text(option) ? !same_text(*(const char *const *)one, *(const char *const *)other)
                            : memcmp(one, other, sizes[option->type]) != 0)
            return false;
    }
    return true;
}

size_t channel_plugin_state_size(const struct channel_plugin *plugin)
{
    return plugin->notifier->state_size;
}

bool channel_plugin_is_local(const struct channel_plugin *plugin, const void *state)
{
    return plugin->notifier->local && plugin->notifier->local(state);
}
