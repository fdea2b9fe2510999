/* plan_world.h - one site, one rule and one event of a small world that is counted in minutes, and planning it. */
#ifndef ONSALE_PLAN_WORLD_H
#define ONSALE_PLAN_WORLD_H

#include "plan.h"
#include "table.h"

#include <string.h>

#define T0_MS 1806048000000 /* 2027-03-26T08:00:00Z */

static inline int64_t minute(int64_t n)
{
    return T0_MS + n * MINUTE_MS;
}

struct world {
    struct definitions definitions;
    struct notices notices;
    struct rule rule;
    struct plan_rule known;
    size_t rule_count; /* 0 while it is taken out */
    int64_t walked_at_ms, now_ms;
    bool frozen;
};

static inline void world_clear(struct world *world)
{
    definitions_clear(&world->definitions);
    notices_clear(&world->notices);
}

static inline void make_plan(const struct world *world, struct plan *plan)
{
    plan_make(&(struct plan_input){.site = "arena",
                                   .site_zone = "",
                                   .first_walked_at_ms = world->walked_at_ms,
                                   .definitions = &world->definitions,
                                   .rules = &world->known,
                                   .rule_count = world->rule_count,
                                   .notices = &world->notices,
                                   .now_ms = world->now_ms,
                                   .frozen = world->frozen},
              plan);
}

/* "a600 -b600 c600/900 ~d600": the definitions of event e with the minutes their sales start and end; '-' is hidden,
 * '~' of a cancelled event. A definition that was not there is created now. */
static inline void define(struct world *world, const char *words)
{
    struct definitions before = world->definitions;
    struct text rest = text_of(words);

    world->definitions = (struct definitions){0};
    while (rest.len) {
        struct text end = text_cut(&rest, ' '), start = text_cut(&end, '/');
        bool marked = !(start.ptr[0] >= 'a' && start.ptr[0] <= 'z');
        char id[2] = {start.ptr[marked], 0};
        const struct definition *old = definitions_find(&before, id);
        int64_t starts = 0, ends = 0;
        struct text digits = text_slice(start, 1u + marked, start.len);
        if (digits.len)
            assert_int_equal(parse_i64(digits, 0, 99999, &starts, NULL), 0);
        if (end.len)
            assert_int_equal(parse_i64(end, 0, 99999, &ends, NULL), 0);
        definitions_put(&world->definitions,
                        definition_new(&(struct definition){
                            .site = "arena",
                            .id = id,
                            .event_id = "e",
                            .created_at_ms = old ? old->created_at_ms : world->now_ms,
                            .hidden = marked && start.ptr[0] == '-',
                            .event_status = marked && start.ptr[0] == '~' ? EVENT_CANCELED : EVENT_UPCOMING,
                            .sale_starts_at_ms = digits.len ? minute(starts) : MOMENT_NONE,
                            .sale_ends_at_ms = end.len ? minute(ends) : MOMENT_NONE,
                        }));
    }
    definitions_clear(&before);
}

#endif
