#include "script.h"

#include <string.h>

void script_init(struct script *script)
{
    *script = (struct script){0};
    buf_init(&script->whole, 1 << 16);
}

void script_clear(struct script *script)
{
    buf_clear(&script->whole);
}

static struct text rule_name(const char *line)
{
    struct text rest = text_of(line);

    return text_trim(text_cut(&rest, ','));
}

void script_drop_rule(struct script *script, const char *name)
{
    for (size_t i = 0; i < script->rule_count; i++)
        if (text_is(rule_name(script->rules[i]), name)) {
            script->rule_count--;
            memmove(script->rules[i], script->rules[i + 1], (script->rule_count - i) * sizeof *script->rules);
            return;
        }
}

int script_rule(struct script *script, const char *line)
{
    auto_free char *name = text_dup(rule_name(line));

    script_drop_rule(script, name);
    if (script->rule_count == SCRIPT_MAX)
        return -1;
    snprintf(script->rules[script->rule_count++], sizeof *script->rules, "%s", line);
    return 0;
}

int script_audience(struct script *script, const char *name)
{
    for (size_t i = 0; i < script->audience_count; i++)
        if (strcmp(script->audiences[i], name) == 0)
            return 0;
    if (script->audience_count == SCRIPT_MAX)
        return -1;
    snprintf(script->audiences[script->audience_count++], sizeof *script->audiences, "%s", name);
    return 0;
}

static void add_default(struct buf *out, const char *line, const char *key, const char *value)
{
    if (!strstr(line, key))
        buf_addf(out, ", %s%s", key, value);
}

static const char *template_for(const char *line)
{
    if (strstr(line, "sale_end"))
        return "sale-ending";
    return strstr(line, "before sale_start") ? "reminder" : "on-sale";
}

static void add_rule(struct buf *out, const char *line)
{
    buf_adds(out, "  - {name: ");
    buf_adds(out, line);
    add_default(out, line, "when: ", "sale_start");
    add_default(out, line, "audiences: ", "[fans]");
    add_default(out, line, "notify: ", "[mail]");
    add_default(out, line, "template: ", template_for(line));
    buf_adds(out, "}\n");
}

static void add_beside(struct buf *out, const char *line, const char *address)
{
    auto_free char *name = text_dup(rule_name(line));
    auto_buf struct buf from;

    buf_init(&from, 256);
    buf_addf(&from, "Arena <%s@arena.example>", name);
    buf_addf(out, "  - {name: %s, plugin: desk, desk: %s", line, address);
    add_default(out, line, "from: ", from.ptr);
    buf_adds(out, "}\n");
}

static void add_whole(const struct script *script, const char *folder, const char *desk, struct buf *out)
{
    const char *at = script->whole.ptr, *next;

    for (; *at; at = next) {
        struct text rest = text_of(at);
        const char *word = text_starts(rest, "FOLDER") ? "FOLDER" : text_starts(rest, "DESK") ? "DESK" : NULL;
        next = at + (word ? strlen(word) : 1);
        if (word)
            buf_adds(out, *word == 'F' ? folder : desk);
        else
            buf_addc(out, *at);
    }
}

void script_write(const struct script *script, const char *folder, const void *desk, struct buf *out)
{
    char address[32];

    snprintf(address, sizeof address, "\"%p\"", desk);
    if (script->whole.len > 0) {
        add_whole(script, folder, address, out);
        return;
    }
    buf_addf(out,
             "store: sqlite:%s/onsale.db\n"
             "sender: {name: Arena, postal_address: \"Street 1\", contact: help@arena.example}\n"
             "sites:\n  - {name: arena, source: file, path: definitions.json",
             folder);
    if (*script->site)
        buf_addf(out, ", %s", script->site);
    add_default(out, script->site, "poll_every: ", "10s");
    add_default(out, script->site, "time_zone: ", "Europe/Vilnius");
    buf_adds(out, "}\naudiences:\n");
    for (size_t i = 0; i < script->audience_count; i++)
        buf_addf(out, "  - {name: %s, source: file, path: %s.csv}\n", script->audiences[i], script->audiences[i]);
    if (script->audience_count == 0)
        buf_adds(out, "  - {name: fans, source: file, path: fans.csv}\n");
    buf_addf(out, "notifiers:\n  - {name: mail, plugin: desk, desk: %s", address);
    add_default(out, script->notifier, "from: ", "Arena <tickets@arena.example>");
    if (*script->notifier)
        buf_addf(out, ", %s", script->notifier);
    buf_adds(out, "}\n");
    if (*script->beside)
        add_beside(out, script->beside, address);
    if (script->webhook)
        buf_adds(out, "webhooks:\n  - {name: ear, url: \"http://127.0.0.1:9/\", allow_private: true,"
                      " secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n");
    buf_adds(out, "rules:\n");
    for (size_t i = 0; i < script->rule_count; i++)
        add_rule(out, script->rules[i]);
    if (script->rule_count == 0)
        add_rule(out, "on-sale");
}
