/* The calendar, as it is served: from the daemon, or without one made of what is stored. */
#include "calendar.h"
#include "cli.h"
#include "client.h"
#include "feed.h"
#include "known.h"

#include <errno.h>
#include <string.h>

/* Which site? Where there is one it need not be said. */
static const struct site_settings *site_of(const struct settings *settings, const char *name, struct error *err)
{
    if (!name && settings->site_count == 1)
        return &settings->sites[0];
    const struct site_settings *site = name ? settings_site(settings, name) : NULL;
    auto_free const char **names = must_calloc(settings->site_count + 1, sizeof *names);
    auto_buf struct buf all;

    if (site)
        return site;
    buf_init(&all, 4096);
    for (size_t i = 0; i < settings->site_count; i++) {
        names[i] = settings->sites[i].name;
        buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    if (name)
        known_none("site", name, names, settings->site_count, err);
    else
        error_set(err, ERROR_REFUSED, "say which site: --site takes one of %.*s", TEXT_ARGS(buf_text(&all)));
    return NULL;
}

static int order(const void *a, const void *b)
{
    return feed_event_order(*(struct feed_event *const *)a, *(struct feed_event *const *)b);
}

/* What is made of the store: an event's calendar is called by the first of what it shows. */
struct made {
    struct arena arena;
    struct feed_event **events;
    size_t count;
    const char *title;
    bool known; /* it was ever shown */
    bool whole; /* ... and with it everything of its site */
};

static void made_clear(struct made *made)
{
    for (size_t i = 0; i < made->count; i++)
        feed_event_drop(made->events[i]);
    free(made->events);
    arena_clear(&made->arena);
}

static int read_events(struct store *store, const char *site, const char *event_id, struct made *made,
                       struct error *err)
{
    struct store_calendars stored;

    if (store_calendars(store, site, &made->arena, &stored, err) < 0)
        return -1;
    made->events = must_calloc(stored.entry_count + 1, sizeof(struct feed_event *));
    for (size_t i = 0; i < stored.entry_count; i++) {
        const struct store_entry *entry = &stored.entries[i];
        if (entry->text.len > 0 && (!*event_id || strcmp(entry->event_id, event_id) == 0))
            made->events[made->count++] = feed_event_new(entry->uid, entry->opens_at_ms, entry->text);
    }
    qsort(made->events, made->count, sizeof(struct feed_event *), order);
    made->title = "";
    for (size_t i = 0; *event_id && made->count > 0 && i < stored.entry_count; i++)
        if (strcmp(stored.entries[i].uid, made->events[0]->uid) == 0)
            made->title = stored.entries[i].title;
    made->whole = stored.published_count > 0;
    made->known = !*event_id;
    for (size_t i = 0; i < stored.change_count; i++)
        made->known |= strcmp(stored.changes[i].event_id, event_id) == 0;
    return 0;
}

static int write_out(struct text bytes, struct error *err)
{
    return fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len
               ? 0
               : error_set(err, ERROR_TRY_LATER, "standard output: %s", strerror(errno));
}

static int write_made(const struct made *made, const struct calendar_style *style, const struct site_settings *site,
                      struct error *err)
{
    auto_buf struct buf head, foot;

    buf_init(&head, CALENDAR_EVENT_MAX);
    buf_init(&foot, CALENDAR_EVENT_MAX);
    if (feed_frame(style, site, made->title, &head, &foot, err) < 0 || write_out(buf_text(&head), err) < 0)
        return -1;
    for (size_t i = 0; i < made->count; i++)
        if (write_out(made->events[i]->text, err) < 0)
            return -1;
    return write_out(buf_text(&foot), err);
}

static int from_store(struct client *client, const struct site_settings *site, const char *event_id, struct error *err)
{
    auto_free const char **folders = settings_template_folders(client->settings);
    struct store *store = client_store(client, err);
    struct calendar_texts *texts = store ? calendar_texts_load(folders, err) : NULL;
    struct locales *locales = texts ? locales_new(err) : NULL;
    struct made made = {0};
    int rc = locales ? read_events(store, site->name, event_id, &made, err) : -1;

    if (rc == 0 && !made.whole)
        rc = error_set(err, ERROR_TRY_LATER,
                       "the calendar of site \"%.100s\" is not there as a whole yet: the daemon has it a minute after "
                       "its first complete walk",
                       site->name);
    if (rc == 0 && !made.known)
        rc = error_set(err, ERROR_REFUSED, "no opening of an event \"%.100s\" was ever shown", event_id);
    if (rc == 0)
        rc = write_made(&made,
                        &(struct calendar_style){.texts = texts,
                                                 .locales = locales,
                                                 .language = site->language,
                                                 .sender_name = client->settings->sender.name,
                                                 .alarm_ms = site->feed.alarm_ms},
                        site, err);
    made_clear(&made);
    locales_free(locales);
    calendar_texts_free(texts);
    return rc;
}

int cli_feed(const struct cli *cli)
{
    struct client client;
    struct error err = {0};
    const char *event_id = cli->event ? cli->event : "";
    bool refused = false;
    auto_buf struct buf path;

    buf_init(&path, 4096);
    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    const struct site_settings *site = site_of(client.settings, cli->site, &err);
    int rc = site ? 0 : -1;
    if (rc == 0) {
        calendar_add_feed_path(&path, site->name, event_id);
        rc = buf_failed(&path) ? error_set(&err, ERROR_REFUSED, "--event: too long")
                               : client_download(&client, path.ptr, STDOUT_FILENO, &refused, &err);
    }
    if (refused) /* it is not for everybody, or was never shown: what is stored says more */
        err = (struct error){0};
    if (rc == 1 || refused)
        rc = from_store(&client, site, event_id, &err);
    client_close(&client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
