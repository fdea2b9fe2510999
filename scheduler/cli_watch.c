/* `onsale watch`: what happens, as it happens. On a terminal the last line tells how far a notice is, and stays where
 * it is; else each change is a line. */
#include "cli_report.h"
#include "client_events.h"
#include "delivery.h"
#include "notice.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

enum { AGAIN_MS = 1000, WIDTH = 80, LINE_MAX_SIZE = 8 * 1024 };

struct watch {
    const struct cli *cli;
    struct client client;
    struct client_events *events;
    struct zone *zone;
    int64_t notice; /* 0: all that happens */
    int wake_fd;    /* Ctrl-C */
    bool terminal;
    bool live;         /* the last line is how far it is: it is written over */
    bool away;         /* the daemon is, and that was said */
    const char *ended; /* how the notice did, or NULL */
};

/* --- Lines -------------------------------------------------------------------------------------------------------- */

static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : WIDTH;
}

static void print_line(struct watch *watch, const struct buf *line)
{
    printf("%s%.*s\n", watch->live ? "\r\033[K" : "", TEXT_ARGS(buf_text(line)));
    watch->live = false;
    fflush(stdout);
}

/* Cut where the terminal would wrap: what is wrapped cannot be written over. */
static void print_live(struct watch *watch, const struct buf *line)
{
    if (!watch->terminal) {
        print_line(watch, line);
        return;
    }
    printf("\r%.*s\033[K", TEXT_ARGS(text_slice(buf_text(line), 0, terminal_width())));
    watch->live = true;
    fflush(stdout);
}

/* --- What each event says: the line, from behind its time --------------------------------------------------------- */

static void add_counts(struct buf *line, const json_t *data)
{
    const json_t *counts = json_object_get(data, "counts");
    static const char *const words[][2] = {{"refused", "refused"}, {"in_doubt", "in doubt"}, {"withheld", "withheld"}};

    buf_addf(line, "%lld of %lld accepted", cli_number(counts, "accepted"), cli_number(counts, "planned"));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (cli_number(counts, words[i][0]) > 0)
            buf_addf(line, ", %lld %s", cli_number(counts, words[i][0]), words[i][1]);
}

static void tell_notice(struct buf *line, const json_t *data)
{
    const char *reason = cli_text(data, "reason"), *text = cli_text(data, "reason_text");

    buf_addf(line, "notice %lld, %s, %s: %s", cli_number(data, "id"), cli_text(data, "rule"), cli_event(data),
             cli_text(data, "state"));
    buf_addf(line, "%s%s%s%s", *reason ? ": " : "", reason, *text ? ": " : "", text);
    if (json_is_true(json_object_get(data, "paused")))
        buf_adds(line, ", paused");
    if (cli_number(json_object_get(data, "counts"), "planned") > 0) {
        buf_adds(line, "; ");
        add_counts(line, data);
    }
}

static void tell_progress(struct buf *line, const json_t *data)
{
    buf_addf(line, "notice %lld: ", cli_number(data, "id"));
    if (strcmp(cli_text(data, "state"), notice_state_name(NOTICE_GATHERING)) == 0)
        buf_addf(line, "%lld people gathered", cli_number(json_object_get(data, "counts"), "planned"));
    else
        add_counts(line, data);
    buf_addf(line, ", %lld/s", cli_number(data, "per_second"));
}

static void tell_opening(struct buf *line, const json_t *data)
{
    buf_addf(line, "opening %lld, %s: %s, %s", cli_number(data, "id"), cli_event(data), cli_text(data, "what"),
             cli_text(data, "opens_at"));
}

static void add_target(struct buf *line, const json_t *data)
{
    const char *target = cli_text(data, "target"), *colon = strchr(target, ':');

    if (colon)
        buf_addf(line, "%.*s %s", (int)(colon - target), target, colon + 1);
    else
        buf_adds(line, "everything");
}

static void tell_pause(struct buf *line, const json_t *data)
{
    add_target(line, data);
    buf_addf(line, ": paused by %s", cli_text(data, "who"));
}

static void tell_resume(struct buf *line, const json_t *data)
{
    add_target(line, data);
    buf_addf(line, ": goes on, says %s", cli_text(data, "who"));
}

static void tell_neighbour(struct buf *line, const json_t *data, const char *what)
{
    const char *trouble = cli_text(data, "trouble");

    buf_addf(line, "%s %s: %s", what, cli_text(data, "name"), *trouble ? trouble : "works again");
}

static void tell_notifier(struct buf *line, const json_t *data)
{
    tell_neighbour(line, data, "notifier");
}

static void tell_site(struct buf *line, const json_t *data)
{
    tell_neighbour(line, data, "site");
}

static void tell_copy(struct buf *line, const json_t *data)
{
    buf_addf(line, "this state is a copy, nothing is sent: %s", cli_text(data, "reason"));
}

static void tell_adopted(struct buf *line, const json_t *data)
{
    buf_addf(line, "no copy after all, says %s", cli_text(data, "who"));
}

static void tell_frozen(struct buf *line, const json_t *data)
{
    buf_adds(line, json_is_true(json_object_get(data, "frozen"))
                       ? "the clock was stepped: nothing irreversible until it is known to be right"
                       : "the clock is right again");
}

static void tell_reload(struct buf *line, const json_t *data)
{
    const char *why = cli_text(data, "refused");

    buf_addf(line, "%s%s", *why ? "the new configuration is refused: " : "a new configuration is at work", why);
}

static void tell_stopping(struct buf *line, const json_t *data)
{
    (void)data;
    buf_adds(line, "the daemon stops");
}

static void tell_sums(struct buf *line, const json_t *data, const char *what)
{
    const char *word, *comma = "";
    json_t *count;

    buf_addf(line, "%s: ", what);
    json_object_foreach(json_object_get(data, "counts"), word, count)
    {
        buf_addf(line, "%s%lld %s", comma, (long long)json_integer_value(count), word);
        comma = ", ";
    }
}

static void tell_suppression(struct buf *line, const json_t *data)
{
    tell_sums(line, data, "written to no more");
}

static void tell_bounce(struct buf *line, const json_t *data)
{
    tell_sums(line, data, "came back");
}

static void tell_forecast(struct buf *line, const json_t *data)
{
    buf_addf(line, "notice %lld %s: %s", cli_number(data, "id"),
             json_is_false(json_object_get(data, "fits")) ? "will not fit" : "ahead", cli_text(data, "forecast"));
}

static const struct {
    const char *type;
    void (*tell)(struct buf *line, const json_t *data);
} tellers[] = {
    {"notice", tell_notice},     {"progress", tell_progress}, {"forecast", tell_forecast},
    {"opening", tell_opening},   {"pause", tell_pause},       {"resume", tell_resume},
    {"notifier", tell_notifier}, {"site", tell_site},         {"copy", tell_copy},
    {"adopted", tell_adopted},   {"frozen", tell_frozen},     {"reload", tell_reload},
    {"stopping", tell_stopping}, {"bounce", tell_bounce},     {"suppression", tell_suppression},
};

static void tell_people(struct watch *watch, const char *type, const json_t *data)
{
    json_t *shown = json_visible(data);
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_SIZE);
    if (*cli_text(shown, "at")) {
        buf_add_local(&line, cli_text(shown, "at"), watch->zone);
        buf_adds(&line, "  ");
    }
    for (size_t i = 0; i < ARRAY_LEN(tellers); i++)
        if (strcmp(tellers[i].type, type) == 0) {
            tellers[i].tell(&line, shown);
            if (tellers[i].tell == tell_progress)
                print_live(watch, &line);
            else
                print_line(watch, &line);
        }
    json_decref(shown);
}

static void tell_program(const struct client_event *event)
{
    json_t *line = json_pack("{s:s, s:s, s:O}", "id", event->id, "event", event->type, "data", event->data);

    json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

/* --- Watching ----------------------------------------------------------------------------------------------------- */

static void look_for_end(struct watch *watch, const json_t *notice)
{
    static const enum notice_state ends[] = {NOTICE_DONE, NOTICE_MISSED, NOTICE_WITHDRAWN, NOTICE_CANCELLED};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (watch->notice && strcmp(cli_text(notice, "state"), notice_state_name(ends[i])) == 0)
            watch->ended = notice_state_name(ends[i]);
}

/* How the one notice stands now: at the beginning, and when events were lost. */
static int ask_state(struct watch *watch, struct error *err)
{
    char path[64];
    json_t *notice = NULL;

    if (!watch->notice)
        return 0;
    snprintf(path, sizeof path, "notices/%lld", (long long)watch->notice);
    int rc = client_ask(&watch->client, "GET", path, NULL, &notice, err);
    if (rc != 0)
        return rc;
    if (watch->cli->json)
        tell_program(&(struct client_event){.id = "", .type = "notice", .data = notice});
    else
        tell_people(watch, "notice", notice);
    look_for_end(watch, notice);
    json_decref(notice);
    return 0;
}

static void on_event(struct watch *watch, const struct client_event *event, bool *lost)
{
    *lost = strcmp(event->type, "reset") == 0;
    if (*lost && watch->notice)
        return; /* the state follows */
    if (watch->cli->json)
        tell_program(event);
    else
        tell_people(watch, event->type, event->data);
    if (strcmp(event->type, "notice") == 0)
        look_for_end(watch, event->data);
}

/* Until the notice has ended (0), Ctrl-C (0), or the stream is over (1). */
static int follow(struct watch *watch, struct error *err)
{
    struct client_event event;
    enum client_next next = CLIENT_EVENT;
    bool lost;

    while (!watch->ended && (next = client_events_next(watch->events, watch->wake_fd, &event)) == CLIENT_EVENT) {
        on_event(watch, &event, &lost);
        json_decref(event.data);
        if (lost && ask_state(watch, err) != 0)
            return 1;
    }
    return next == CLIENT_OVER;
}

/* The daemon restarts, or has ended the stream: a second, or Ctrl-C. */
static bool interrupted(struct watch *watch, bool away)
{
    struct pollfd wake = {watch->wake_fd, POLLIN, 0};

    if (away && !watch->away && !watch->cli->json) {
        auto_buf struct buf line;
        buf_init(&line, 128);
        buf_adds(&line, "no daemon runs; waiting for it");
        print_line(watch, &line);
    }
    watch->away |= away;
    return poll(&wake, 1, AGAIN_MS) > 0;
}

static int watch_all(struct watch *watch, struct error *err)
{
    char query[32] = "";
    bool begun = false;

    if (watch->notice)
        snprintf(query, sizeof query, "notice=%lld", (long long)watch->notice);
    for (;;) {
        struct error failure = {0};
        int rc = client_events_open(watch->events, &watch->client, query, &failure);
        if (rc == 0 && !begun) /* the stream is open first: nothing falls between */
            rc = ask_state(watch, &failure);
        if (rc == 0) {
            begun = true;
            watch->away = false;
            if (follow(watch, &failure) == 0)
                return 0;
        } else if (!begun) {
            *err = failure;
            return rc;
        }
        if (interrupted(watch, rc != 0))
            return 0;
    }
}

int cli_watch(const struct cli *cli)
{
    struct watch watch = {.cli = cli, .terminal = isatty(STDOUT_FILENO) && !cli->json};
    struct error err = {0};
    sigset_t ends;

    if (cli->argc && cli_notice_argument(cli, &watch.notice) < 0)
        return EXIT_USAGE;
    if (client_open(&watch.client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    watch.wake_fd = signalfd(-1, &ends, SFD_CLOEXEC);
    watch.events = client_events_new();
    watch.zone = local_zone_load();
    int rc = watch_all(&watch, &err);
    if (rc == 1)
        client_no_daemon(&watch.client, &err);
    if (watch.live)
        putchar('\n');
    zone_free(watch.zone);
    client_events_free(watch.events);
    client_close(&watch.client);
    close(watch.wake_fd);
    if (rc != 0)
        return cli_fail(&err);
    return watch.ended && strcmp(watch.ended, notice_state_name(NOTICE_DONE)) != 0 ? EXIT_FAILED : EXIT_FINE;
}
