/* The keys of the configuration as its tables have them: the manual's headings are made of this. */
#include "settings.h"

#include <string.h>

static const char *const type_words[] = {
    [CONFIG_TEXT] = "TEXT",     [CONFIG_BOOL] = "true|false", [CONFIG_INT] = "NUMBER", [CONFIG_SPAN] = "SPAN",
    [CONFIG_SIZE] = "SIZE",     [CONFIG_RATES] = "RATE",      [CONFIG_LIST] = "LIST",  [CONFIG_PATH] = "PATH",
    [CONFIG_SECRET] = "SECRET", [CONFIG_CUSTOM] = "TEXT",
};

static void print_key(const char *section, const struct config_option *option, FILE *out)
{
    fprintf(out, "%s%s\t", section, option->name);
    if (option->type == CONFIG_WORD)
        for (size_t i = 0; option->words[i]; i++)
            fprintf(out, "%s%s", i ? "|" : "", option->words[i]);
    else
        fputs(type_words[option->type], out);
    fprintf(out, "\t%s\n", option->required ? "required" : option->fallback ? option->fallback : "");
}

static void print_keys(const char *section, const struct config_option *options, FILE *out)
{
    for (const struct config_option *option = options; option->name; option++) {
        char inner[128];
        switch (option->type) {
        case CONFIG_SECTION:
        case CONFIG_ITEMS:
            snprintf(inner, sizeof inner, "%s%s.", section, option->name);
            print_keys(inner, option->inside, out);
            break;
        case CONFIG_PLACE:
        case CONFIG_OTHER:
        case CONFIG_RESERVED:
            break;
        default:
            print_key(section, option, out);
        }
    }
}

int settings_print_keys(const char *const *plugins, size_t count, FILE *out, struct error *err)
{
    auto_free const char **folders = settings_plugin_folders();

    print_keys("", settings_options, out);
    for (size_t i = 0; i < count; i++) {
        char section[128];
        struct channel_plugin *plugin = channel_plugin_find(folders, plugins[i], err);
        if (!plugin)
            return -1;
        snprintf(section, sizeof section, "%s.", plugins[i]);
        print_keys(section, channel_plugin_options(plugin), out);
        channel_plugin_free(plugin);
    }
    return 0;
}
