#include "world.h"

#include <string.h>

static int64_t fact(const struct store_fact *facts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(facts[i].name, name) == 0)
            return facts[i].at_ms;
    return MOMENT_NONE;
}

static bool has_pause(const struct world *world, const char *target)
{
    for (size_t i = 0; i < world->pause_count; i++)
        if (strcmp(world->pauses[i].target, target) == 0)
            return true;
    return false;
}

void world_take(struct world *world, struct store_image *image)
{
    world->notices = image->notices;
    world->openings = image->openings;
    image->notices = (struct notices){0};
    image->openings = (struct openings){0};
    world->first_loads = image->first_loads;
    world->first_load_count = image->first_load_count;
    image->first_loads = NULL;
    image->first_load_count = 0;
    world->sites = must_calloc(image->site_count, sizeof *world->sites);
    world->site_count = image->site_count;
    for (size_t i = 0; i < image->site_count; i++) {
        world->sites[i] = (struct world_site){
            .name = must_strdup(image->sites[i]),
            .definitions = image->definitions[i],
            .first_walked_at_ms = fact(image->first_walks, image->first_walk_count, image->sites[i]),
            .watermark_ms = fact(image->watermarks, image->watermark_count, image->sites[i]),
        };
        image->definitions[i] = (struct definitions){0};
    }
    for (size_t i = 0; i < image->pause_count; i++)
        world_pause(world, image->pauses[i].target, image->pauses[i].who, image->pauses[i].at_ms);
    for (size_t i = 0; i < world->notices.count; i++) { /* the pauses are the truth, the flag is their shadow */
        char target[32];
        snprintf(target, sizeof target, "notice:%lld", (long long)world->notices.at[i]->id);
        world->notices.at[i]->paused = has_pause(world, target);
    }
}

void world_forget(struct world *world)
{
    for (size_t i = 0; i < world->site_count; i++) {
        definitions_clear(&world->sites[i].definitions);
        free(world->sites[i].name);
    }
    free(world->sites);
    notices_clear(&world->notices);
    openings_clear(&world->openings);
    world_unpause(world, "*");
    free(world->pauses);
    free(world->reload_refused);
    world->reload_refused = NULL;
    free(world->restart_for);
    world->restart_for = NULL;
    for (size_t i = 0; i < world->first_load_count; i++)
        free(world->first_loads[i].name);
    free(world->first_loads);
    world->first_loads = NULL;
    world->first_load_count = 0;
    world->sites = NULL;
    world->pauses = NULL;
    world->site_count = 0;
}

struct world_site *world_site(struct world *world, const char *name)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (strcmp(world->sites[i].name, name) == 0)
            return &world->sites[i];
    return NULL;
}

struct world_rule *world_rule(struct world *world, const char *name)
{
    for (size_t i = 0; i < world->rule_count; i++)
        if (strcmp(world->rules[i].plan.rule->name, name) == 0)
            return &world->rules[i];
    return NULL;
}

struct world_rule *world_rule_of(struct world *world, const struct notice *notice)
{
    struct world_rule *present = world_rule(world, notice->rule);

    for (size_t i = 0; present && notice->claimed && i < world->begun_count; i++)
        if (world->begun[i].notice == notice->id)
            return world->begun[i].rule;
    return present;
}

struct channel *world_channel_of(const struct world *world, const struct notice *notice)
{
    const struct world_rule *rule = world_rule_of((struct world *)(uintptr_t)world, notice);

    if (!notice->claimed || !notice->course->channel)
        return rule ? rule->channel : NULL;
    for (size_t i = 0; i < world->channel_count; i++)
        if (strcmp(channel_settings(world->channels[i])->name, notice->course->channel) == 0)
            return world->channels[i];
    return NULL;
}

bool world_clock_sure(const struct world *world)
{
    return world->clock_known && !world->frozen;
}

bool world_paused(const struct world *world, const char *target)
{
    return has_pause(world, "") || has_pause(world, target);
}

const struct zone *world_zone(void *world, const char *name)
{
    return zones_get(((struct world *)world)->zones, name);
}

void world_pause(struct world *world, const char *target, const char *who, int64_t now_ms)
{
    if (has_pause(world, target))
        return;
    world->pauses = must_realloc(world->pauses, (world->pause_count + 1) * sizeof *world->pauses);
    world->pauses[world->pause_count++] =
        (struct store_pause){.target = must_strdup(target), .who = must_strdup(who), .at_ms = now_ms};
}

void world_unpause(struct world *world, const char *target)
{
    size_t kept = 0;

    for (size_t i = 0; i < world->pause_count; i++)
        if (strcmp(target, "*") == 0 || strcmp(world->pauses[i].target, target) == 0) {
            free(world->pauses[i].target);
            free(world->pauses[i].who);
        } else {
            world->pauses[kept++] = world->pauses[i];
        }
    world->pause_count = kept;
}

int64_t world_first_load_ms(struct world *world, const char *rule, int64_t now_ms)
{
    int64_t known_ms = fact(world->first_loads, world->first_load_count, rule);

    if (known_ms != MOMENT_NONE)
        return known_ms;
    world->first_loads = must_realloc(world->first_loads, (world->first_load_count + 1) * sizeof *world->first_loads);
    world->first_loads[world->first_load_count++] = (struct store_fact){must_strdup(rule), now_ms};
    return now_ms;
}
