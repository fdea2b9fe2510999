/* outbox.c - puts each message as a file into a Maildir: written to tmp/, then renamed into new/. For quick starts,
 * tests and places where another program picks the mail up. */
#include "notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct outbox {
    /* options */
    const char *path;
    bool sync;

    const struct notifier_host *host;
    bool busy, failing;
    bool made; /* the folders, by the first message or warmth */
    int64_t in_flight, unnamed;
};

enum { WINDOW = 16 };

struct file_job { /* everything the pool's thread needs, and what it found */
    struct outbox *outbox;
    struct notifier_delivery *delivery;
    char name[160];
    bool sync;
    int failure; /* errno, 0 when the file is in new/ */
    bool doubt;  /* it failed after the rename */
    int64_t written_at_ms;
};

static int make_folder(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* Made by the first message, not by looking at a configuration. */
static int make_folders(const struct outbox *outbox, char *error, size_t error_size)
{
    static const char *const parts[] = {"", "/tmp", "/new", "/cur"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (snprintf(path, sizeof path, "%s%s", outbox->path, parts[i]) >= (int)sizeof path - 200) {
            snprintf(error, error_size, "path: too long");
            return -1;
        }
        if (make_folder(path) < 0) {
            snprintf(error, error_size, "path: cannot make %s: %s", path, strerror(errno));
            return -1;
        }
    }
    return 0;
}

/* Can the folders be there when the first message comes? Nothing is made. */
static int check_folder(const struct outbox *outbox, char *error, size_t error_size)
{
    char parent[PATH_MAX];
    struct stat found = {0};

    if (snprintf(parent, sizeof parent, "%s", outbox->path) >= (int)sizeof parent - 200) {
        snprintf(error, error_size, "path: too long");
        return -1;
    }
    if (stat(outbox->path, &found) < 0 && errno == ENOENT) { /* it will be made in its parent */
        char *slash = strrchr(parent, '/');
        snprintf(slash ? slash + (slash == parent) : parent, 2, "%s", slash ? "" : ".");
    } else if (found.st_mode && !S_ISDIR(found.st_mode)) {
        snprintf(error, error_size, "path: %s is no folder", outbox->path);
        return -1;
    }
    if (access(parent, W_OK | X_OK) < 0) {
        snprintf(error, error_size, "path: cannot write into %s: %s", parent, strerror(errno));
        return -1;
    }
    return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        close(fd);
    return rc;
}

/* On a thread of the pool. */
static void write_file(void *ctx)
{
    struct file_job *job = ctx;
    char from[PATH_MAX], to[PATH_MAX], folder[PATH_MAX];

    snprintf(from, sizeof from, "%s/tmp/%s", job->outbox->path, job->name);
    snprintf(to, sizeof to, "%s/new/%s", job->outbox->path, job->name);
    snprintf(folder, sizeof folder, "%s/new", job->outbox->path);
    int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        job->failure = errno;
        return;
    }
    if (write_all(fd, job->delivery->raw, job->delivery->raw_len) < 0 || (job->sync && fsync(fd) < 0))
        job->failure = errno;
    if (close(fd) < 0 && !job->failure)
        job->failure = errno;
    if (!job->failure && rename(from, to) < 0)
        job->failure = errno;
    if (job->failure) {
        unlink(from);
    } else if (job->sync && sync_folder(folder) < 0) {
        job->failure = errno;
        job->doubt = true;
    }
}

static void on_file(void *ctx)
{
    struct file_job *job = ctx;
    struct outbox *outbox = job->outbox;
    const struct notifier_host *host = outbox->host;
    char text[200] = "";
    struct notifier_result result = {.fate = NOTIFIER_ACCEPTED, .text = NULL};

    if (job->failure) {
        snprintf(text, sizeof text, "cannot write into %s: %s", outbox->path, strerror(job->failure));
        result = (struct notifier_result){
            .fate = job->doubt ? NOTIFIER_IN_DOUBT : NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .text = text};
    }
    if (!job->failure || job->doubt)
        result.handed_over_at_ms = host->now_ms(host);
    host->finish(host, job->delivery, &result);
    outbox->in_flight--;
    if (job->failure) {
        outbox->failing = true;
        host->trouble(host, text, false);
    } else if (outbox->failing) {
        outbox->failing = false;
        host->well(host);
    }
    free(job);
    if (outbox->busy) {
        outbox->busy = false;
        host->ready(host);
    }
}

static int outbox_open(void *state, const struct notifier_host *host, char *error, size_t error_size)
{
    struct outbox *outbox = state;

    outbox->host = host;
    return check_folder(outbox, error, error_size);
}

static void outbox_probe(void *state, void (*done)(void *ctx, bool fine, const char *text), void *ctx)
{
    char error[PATH_MAX + 100];
    bool fine = check_folder(state, error, sizeof error) == 0;

    done(ctx, fine, fine ? "the folder can be written to" : error);
}

/* The name is the same on every attempt: a repeat replaces the first copy as long as nobody has read it. Without a
 * token it is one that nothing else here has. */
static void name_file(struct outbox *outbox, struct file_job *job)
{
    const char *token = job->delivery->token;
    size_t at = 0;

    if (!*token) {
        snprintf(job->name, sizeof job->name, "%lld.%d_%lld.onsale.eml", (long long)outbox->host->now_ms(outbox->host),
                 (int)getpid(), (long long)++outbox->unnamed);
        return;
    }

    for (; *token && at < sizeof job->name - 40; token++)
        job->name[at++] = strchr("/.:", *token) || (unsigned char)*token <= ' ' ? '_' : *token;
    snprintf(job->name + at, sizeof job->name - at, ".onsale.eml");
}

/* When it cannot be made, the message finds out and says so. */
static void make_once(struct outbox *outbox)
{
    char error[PATH_MAX + 100];

    if (!outbox->made)
        outbox->made = make_folders(outbox, error, sizeof error) == 0;
}

static enum notifier_answer outbox_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    struct outbox *outbox = state;
    struct file_job *job;

    (void)count; /* batch_max is 1 */
    make_once(outbox);
    if (outbox->in_flight >= WINDOW || !(job = calloc(1, sizeof *job))) {
        outbox->busy = true;
        return NOTIFIER_BUSY;
    }
    job->outbox = outbox;
    job->delivery = batch[0];
    job->sync = outbox->sync;
    name_file(outbox, job);
    outbox->in_flight++;
    outbox->host->offload(outbox->host, write_file, on_file, job);
    return NOTIFIER_STARTED;
}

/* Called after trouble: is the folder good again? */
static void outbox_warm(void *state)
{
    struct outbox *outbox = state;
    char error[PATH_MAX + 100];

    make_once(outbox);
    if (!outbox->failing)
        return;
    if (make_folders(outbox, error, sizeof error) < 0) {
        outbox->host->trouble(outbox->host, error, false);
        return;
    }
    outbox->failing = false;
    outbox->host->well(outbox->host);
}

static void outbox_close(void *state)
{
    (void)state;
}

static int64_t outbox_window(const void *state)
{
    (void)state;
    return WINDOW;
}

static bool outbox_local(const void *state)
{
    (void)state;
    return true;
}

static const struct notifier_option options[] = {
    {"path", NOTIFIER_PATH, offsetof(struct outbox, path), .required = true},
    {"sync", NOTIFIER_BOOL, offsetof(struct outbox, sync), .fallback = "false"}, /* survive a power cut: slower */
    {0},
};

NOTIFIER_EXPORT const struct notifier notifier = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier),
    .name = "outbox",
    .options = options,
    .state_size = sizeof(struct outbox),
    .batch_max = 1,
    .flags = NOTIFIER_TAKES_RAW | NOTIFIER_REPEAT_REPLACES,
    .open = outbox_open,
    .send = outbox_send,
    .close = outbox_close,
    .warm = outbox_warm,
    .window = outbox_window,
    .local = outbox_local,
    .probe = outbox_probe,
};
