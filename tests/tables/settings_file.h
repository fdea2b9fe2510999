/* settings_file.h - a configuration file with what it names in a folder of its own, to be changed piece by piece. */
#ifndef ONSALE_SETTINGS_FILE_H
#define ONSALE_SETTINGS_FILE_H

#include "settings.h"
#include "table.h"

#include <string.h>

/* All that is needed and not much more; the bad cases change one piece of it. */
static const char base[] = "store: sqlite:state.db\n"                     /* 1 */
                           "sender: {name: A, postal_address: \"S 1\"}\n" /* 2 */
                           "operators: [ops@arena.example]\n"             /* 3 */
                           "http: {listen: [unix:onsale.sock]}\n"         /* 4 */
                           "sites:\n"                                     /* 5 */
                           "- name: arena\n"                              /* 6 */
                           "  source: wix\n"                              /* 7 */
                           "  site_id: 0-0\n"                             /* 8 */
                           "  api_key_file: secret\n"                     /* 9 */
                           "  time_zone: Europe/Vilnius\n"                /* 10 */
                           "audiences:\n"                                 /* 11 */
                           "- name: fans\n"                               /* 12 */
                           "  source: listmonk\n"                         /* 13 */
                           "  url: http://127.0.0.1:9000\n"               /* 14 */
                           "  username: onsale\n"                         /* 15 */
                           "  token_file: secret\n"                       /* 16 */
                           "  lists: [3]\n"                               /* 17 */
                           "- name: door\n"                               /* 18 */
                           "  source: file\n"                             /* 19 */
                           "  path: subscribers.csv\n"                    /* 20 */
                           "notifiers:\n"                                 /* 21 */
                           "- name: mail\n"                               /* 22 */
                           "  plugin: smtp\n"                             /* 23 */
                           "  url: smtp://127.0.0.1:2525\n"               /* 24 */
                           "  from: Arena <tickets@arena.example>\n"      /* 25 */
                           "rules:\n"                                     /* 26 */
                           "- name: on-sale\n"                            /* 27 */
                           "  when: sale_start\n"                         /* 28 */
                           "  audiences: [fans, door]\n"                  /* 29 */
                           "  notify: [mail]\n"                           /* 30 */
                           "  template: on-sale\n";                       /* 31 */

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static const char *const files[] = {"secret",         "short",     "empty",       "wix.key",
                                    "listmonk.token", "ops.token", "onsale.yaml", "crm.secret"};

struct fixture {
    char folder[64], path[128];
    const char *plugins[2];
};

static inline void write_file(const struct fixture *fixture, const char *name, struct text content)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    auto_file FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
}

static inline int make_folder(void **state)
{
    struct fixture *fixture = must_calloc(1, sizeof *fixture);

    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/onsale-settings-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/onsale.yaml", fixture->folder);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        write_file(fixture, files[i],
                   strcmp(files[i], "empty") == 0        ? TEXT("\n")
                   : strcmp(files[i], "short") == 0      ? TEXT("hunter2\n")
                   : strcmp(files[i], "crm.secret") == 0 ? TEXT(SECRET "\n")
                                                         : TEXT("hunter2hunter2hunter2\n"));
    fixture->plugins[0] = getenv("ONSALE_BUILD");
    *state = fixture;
    return 0;
}

static inline int remove_folder(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[192];
        snprintf(path, sizeof path, "%s/%s", fixture->folder, files[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

/* Loads a text as the file; what was printed goes to `printed`, the lines that say what is wrong to `says`. */
static inline struct settings *load(const struct fixture *fixture, struct text yaml, char **printed, struct buf *says)
{
    struct error err = {0};
    size_t size, prefix = strlen(fixture->path) + 1;
    FILE *out = open_memstream(printed, &size);

    write_file(fixture, "onsale.yaml", yaml);
    struct settings *settings = settings_load(fixture->path, fixture->plugins, out, &err);
    fclose(out);
    assert_int_equal(!settings, err.kind == ERROR_CONFIG);
    for (struct text rest = text_of(*printed); rest.len;) {
        struct text line = text_cut(&rest, '\n');
        const char *error = memmem(line.ptr, line.len, " error: ", 8);
        if (!text_starts(line, fixture->path) || !error)
            continue;
        if (says->len)
            buf_addc(says, '\n');
        buf_add(says, line.ptr + prefix, (size_t)(error - line.ptr) + 1 - prefix);
        buf_add(says, error + 8, line.len - (size_t)(error - line.ptr) - 8);
    }
    return settings;
}

/* `yaml` with one piece replaced. */
static inline char *change(const char *yaml, const char *find, const char *replace)
{
    const char *at = strstr(yaml, find);
    struct buf changed;

    if (!at)
        fail_msg("\"%s\" is not in the base", find);
    buf_init(&changed, 64 * 1024);
    buf_add(&changed, yaml, (size_t)(at - yaml));
    buf_adds(&changed, replace);
    buf_adds(&changed, at + strlen(find));
    return buf_take(&changed);
}

#endif
