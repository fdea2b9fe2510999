/* The state into one file: by the daemon, or without one straight from the database. */
#include "cli_report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static const char *database(const struct client *client)
{
    struct text path = text_of(client->settings->store);

    text_cut(&path, ':'); /* the scheme */
    return path.ptr;
}

static bool same_file(const char *a, const char *b)
{
    struct stat one, two;

    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Before any byte is written: may the file be made, or replaced? */
static int check_place(const struct cli *cli, const struct client *client, struct error *err)
{
    const char *file = cli->argv[0];
    struct stat st;

    if (lstat(file, &st) < 0)
        return errno == ENOENT ? 0 : error_set(err, ERROR_REFUSED, "%s: %s", file, strerror(errno));
    if (same_file(file, database(client)))
        return error_set(err, ERROR_REFUSED, "%s is the state itself", file);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_REFUSED, "%s is there, and no plain file", file);
    if (!cli->force)
        return error_set(err, ERROR_REFUSED, "%s is there already (--force replaces it)", file);
    return 0;
}

static int sync_path(const char *path, int flags, struct error *err)
{
    auto_fd int fd = open(path, flags | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0 ? 0 : error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno));
}

static int download(const struct client *client, const char *part, struct error *err)
{
    auto_fd int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set(err, ERROR_REFUSED, "%s: %s", part, strerror(errno));
    int rc = client_download(client, "/api/v1/backup", fd, NULL, err);
    if (rc == 0 && fsync(fd) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", part, strerror(errno));
    return rc;
}

/* Whole and checked, or not there. */
static int write_part(const struct client *client, const char *part, struct store_copy *copy, struct error *err)
{
    unlink(part); /* of one that was killed */
    int rc = download(client, part, err);
    if (rc == 0)
        rc = store_backup_check(part, copy, err);
    else if (rc == 1) {
        unlink(part);
        rc = store_backup_to(client->settings->store, part, copy, err);
    }
    if (rc < 0)
        unlink(part);
    return rc;
}

static int write_file(const struct client *client, const char *file, struct store_copy *copy, struct error *err)
{
    char part[4096], folder[4096];

    if (snprintf(part, sizeof part, "%s.part", file) >= (int)sizeof part)
        return error_set(err, ERROR_REFUSED, "%s: the path is too long", file);
    snprintf(folder, sizeof folder, "%s", strchr(file, '/') ? file : "./");
    strrchr(folder, '/')[1] = '\0';
    if (write_part(client, part, copy, err) < 0)
        return -1;
    if (rename(part, file) < 0) {
        error_set(err, ERROR_REFUSED, "%s: %s", file, strerror(errno));
        unlink(part);
        return -1;
    }
    return sync_path(folder, O_RDONLY | O_DIRECTORY, err);
}

/* --- Standard output ------------------------------------------------------------------------------------------------
 */

static int pour(int from, struct error *err)
{
    char bytes[65536];
    ssize_t got;

    while ((got = read(from, bytes, sizeof bytes)) > 0)
        if (fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
            return error_set(err, ERROR_TRY_LATER, "standard output: %s", strerror(errno));
    if (got < 0)
        return error_set(err, ERROR_TRY_LATER, "reading the copy: %s", strerror(errno));
    return 0;
}

/* A copy beside the database, whose name is one that the next start of the daemon sweeps away should we be killed. */
static int copy_and_pour(const struct client *client, struct store_copy *copy, struct error *err)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s.backup-%ld", database(client), (long)getpid()) >= (int)sizeof path)
        return error_set(err, ERROR_REFUSED, "%s: the path is too long", database(client));
    if (store_backup_to(client->settings->store, path, copy, err) < 0)
        return -1;
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    unlink(path);
    return fd < 0 ? error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno)) : pour(fd, err);
}

static int write_stdout(const struct client *client, struct store_copy *copy, struct error *err)
{
    if (isatty(STDOUT_FILENO))
        return error_set(err, ERROR_REFUSED, "a database is nothing for a terminal: name a file, or use a pipe");
    int rc = client_download(client, "/api/v1/backup", STDOUT_FILENO, NULL, err);
    return rc == 1 ? copy_and_pour(client, copy, err) : rc;
}

/* --- What was done --------------------------------------------------------------------------------------------------
 */

static void print_done(const struct cli *cli, const struct client *client, const struct store_copy *copy, FILE *out)
{
    auto_free char *folder = must_strdup(database(client));
    char *slash = strrchr(folder, '/');

    if (copy->schema)
        fprintf(out, "%s: %.1f MB, %lld notices, %lld people, schema %lld; whole and checked\n", cli->argv[0],
                (double)copy->bytes / 1e6, (long long)copy->notices, (long long)copy->people, (long long)copy->schema);
    if (slash)
        *slash = '\0';
    fprintf(
        out,
        "To be kept with it, as secret as itself:\n"
        "  %s/onsale.keys: without it nobody is recognised again, and links in sent mails lead nowhere\n"
        "  %s and the files of keys, tokens and passwords that it names\n"
        "Not the lock, nor the witness in the cache folder: a restored state has to be seen as one. Restore: README, "
        "\"Backup and restore\".\n",
        slash ? folder : ".", cli->config);
}

int cli_backup(const struct cli *cli)
{
    bool to_stdout = strcmp(cli->argv[0], "-") == 0;
    struct client client;
    struct store_copy copy = {0};
    struct error err = {0};

    signal(SIGXFSZ, SIG_IGN); /* a file over a limit is a write that fails, and no half file is left */
    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    int rc = to_stdout ? 0 : check_place(cli, &client, &err);
    if (rc == 0)
        rc = to_stdout ? write_stdout(&client, &copy, &err) : write_file(&client, cli->argv[0], &copy, &err);
    if (rc == 0)
        print_done(cli, &client, &copy, to_stdout ? stderr : stdout);
    client_close(&client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
