#include "known.h"

#include "config.h"

#include <string.h>

enum { LISTED_MAX = 20 }; /* more names than that tell nobody anything */

int known_none(const char *what, const char *wrong, const char *const *names, size_t count, struct error *err)
{
    auto_buf struct buf text, near;

    buf_init(&text, 4096);
    buf_init(&near, 64 * 1024);
    buf_addf(&text, "there is no %s \"%.100s\"", what, wrong);
    buf_add_suggestion(&near, wrong, names, count);
    if (count <= LISTED_MAX || strstr(near.ptr, "did you mean"))
        buf_add_text(&text, buf_text(&near));
    return error_set(err, ERROR_REFUSED, "%.*s", TEXT_ARGS(buf_text(&text)));
}

int known_no_site(const struct world *world, const char *wrong, struct error *err)
{
    auto_free const char **names = must_calloc(world->site_count + 1, sizeof *names);
    size_t count = 0;

    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].settings) /* else it left the configuration */
            names[count++] = world->sites[i].name;
    return known_none("site", wrong, names, count, err);
}

int known_no_rule(const struct world *world, const char *wrong, struct error *err)
{
    auto_free const char **names = must_calloc(world->rule_count + 1, sizeof *names);

    for (size_t i = 0; i < world->rule_count; i++)
        names[i] = world->rules[i].plan.rule->name;
    return known_none("rule", wrong, names, world->rule_count, err);
}

int known_no_notifier(const struct world *world, const char *wrong, struct error *err)
{
    auto_free const char **names = must_calloc(world->channel_count + 1, sizeof *names);

    for (size_t i = 0; i < world->channel_count; i++)
        names[i] = channel_settings(world->channels[i])->name;
    return known_none("notifier", wrong, names, world->channel_count, err);
}

int known_no_audience(const struct world *world, const char *wrong, struct error *err)
{
    auto_free const char **names = must_calloc(world->audience_count + 1, sizeof *names);

    for (size_t i = 0; i < world->audience_count; i++)
        names[i] = world->audiences[i]->settings->name;
    return known_none("audience", wrong, names, world->audience_count, err);
}
