#include "settings_demand.h"

#include "address.h"

#include <string.h>

enum { NAME_MAX_LEN = 64 };

bool demand_is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len > 0 && len <= NAME_MAX_LEN && name[len] == '\0';
}

struct demand_names demand_names_new(struct config_doc *doc, const char *what, size_t room)
{
    struct arena *arena = config_arena(doc);

    return (struct demand_names){what, arena_alloc(arena, room * sizeof(char *)),
                                 arena_alloc(arena, room * sizeof(struct config_place)), 0};
}

void demand_name(struct config_doc *doc, struct demand_names *names, const char *name, struct config_place mapping)
{
    struct config_place place = config_place_of(doc, mapping, "name");

    if (!text_given(name))
        return;
    if (!demand_is_name(name))
        config_problem(doc, place, "name: expected 1 to 64 of a to z, 0 to 9, \"_\" and \"-\", found \"%.80s\"", name);
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0) {
            config_problem(doc, place, "the %s \"%s\" is configured twice (first in line %u)", names->what, name,
                           names->places[i].line);
            return;
        }
    names->at[names->count] = name;
    names->places[names->count++] = mapping;
}

void demand_known(struct config_doc *doc, struct config_place place, const char *who, const char *name,
                  const struct demand_names *names)
{
    auto_buf struct buf text = {0};

    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0)
            return;
    buf_init(&text, 8192);
    buf_addf(&text, "%s: unknown %s \"%.80s\"", who, names->what, name);
    buf_add_suggestion(&text, name, names->at, names->count);
    config_problem(doc, place, "%.*s", TEXT_ARGS(buf_text(&text)));
}

bool demand_is_url(const char *url)
{
    size_t scheme = text_starts(text_of(url), "https://") ? 8 : text_starts(text_of(url), "http://") ? 7 : 0;

    if (!scheme || !url[scheme] || strchr("/?#:", url[scheme]))
        return false;
    if (memchr(url, '@', scheme + strcspn(url + scheme, "/?#")))
        return false;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F || *c == '"' || *c == '<' || *c == '>')
            return false;
    return true;
}

void demand_url(struct config_doc *doc, struct config_place mapping, const char *key, const char *url)
{
    if (text_given(url) && !demand_is_url(url))
        config_problem(doc, config_place_of(doc, mapping, key),
                       "%s: expected a URL that begins with https:// or http://, without name and password in it", key);
}

void demand_address(struct config_doc *doc, struct config_place place, const char *key, const char *address)
{
    struct address parsed;
    struct error why = {0};

    if (text_given(address) && address_parse(text_of(address), &parsed, &why) < 0)
        config_problem(doc, place, "%s: expected an e-mail address, found \"%.100s\": %s", key, address, why.text);
}

void demand_addresses(struct config_doc *doc, const char *key, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        demand_address(doc, list->places[i], key, list->at[i]);
        if (!text_given(list->at[i]))
            config_problem(doc, list->places[i], "%s: expected an e-mail address, found nothing", key);
    }
}

void demand_key(struct config_doc *doc, struct config_place mapping, const char *key, const char *value,
                const char *why)
{
    if (!text_given(value) && !config_has(doc, mapping, key))
        config_problem(doc, mapping, "missing key \"%s\" (%s)", key, why);
}
