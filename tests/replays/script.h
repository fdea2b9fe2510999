/* script.h - the configuration of a story: what it does not say has a default, so most stories need no YAML. */
#ifndef ONSALE_REPLAY_SCRIPT_H
#define ONSALE_REPLAY_SCRIPT_H

#include "text.h"

enum { SCRIPT_MAX = 16 };

struct script {
    char site[512], notifier[512]; /* more keys, "time_zone: Europe/Berlin, language: de" */
    char beside[512];              /* a second notifier, "post, rate: 30/min"; "" none */
    bool webhook;                  /* another program is told of everything */
    char audiences[SCRIPT_MAX][64];
    size_t audience_count;       /* none: fans */
    char rules[SCRIPT_MAX][512]; /* "reminder, when: 1h before sale_start" */
    size_t rule_count;           /* none: on-sale */
    struct buf whole;            /* a configuration in full instead; "FOLDER" and "DESK" are filled in */
};

void script_init(struct script *script);
void script_clear(struct script *script);
/* A rule of that name is replaced. -1: there are too many. */
int script_rule(struct script *script, const char *line);
void script_drop_rule(struct script *script, const char *name);
int script_audience(struct script *script, const char *name);
/* The YAML; `desk` is where the story's notifier finds its driver. */
void script_write(const struct script *script, const char *folder, const void *desk, struct buf *out);

#endif
