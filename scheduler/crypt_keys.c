#include "crypt_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { KEY_FILE_MAX = 64 * 1024 };

#define UNSUBSCRIBE "unsubscribe-"

static const struct {
    const char *name;
    size_t offset;
} key_lines[] = {
    {"person", offsetof(struct crypt_keys, person)},
    {"message-id", offsetof(struct crypt_keys, message_id)},
};

static unsigned char *key_of(struct crypt_keys *keys, size_t line)
{
    return (unsigned char *)keys + key_lines[line].offset;
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int read_hex(struct text hex, unsigned char *out, size_t size)
{
    if (hex.len != 2 * size)
        return -1;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

/* What a line is about; false when there is no such name. */
struct line {
    unsigned char *key; /* where it goes */
    size_t size;
    bool twice; /* it has been read before; the rest is not filled then */
};

static bool find_known(struct text name, struct crypt_keys *keys, bool have[], struct line *out)
{
    for (size_t i = 0; i < ARRAY_LEN(key_lines); i++) {
        if (!text_is(name, key_lines[i].name))
            continue;
        *out = (struct line){key_of(keys, i), CRYPT_KEY_SIZE, have[i]};
        have[i] = true;
        return true;
    }
    return false;
}

static bool find_unsubscribe(struct text name, struct crypt_keys *keys, struct line *out)
{
    struct text number = text_slice(name, strlen(UNSUBSCRIBE), name.len);
    int64_t id;

    if (!text_starts(name, UNSUBSCRIBE) || text_starts(number, "0") ||
        parse_i64(number, 1, CRYPT_UNSUBSCRIBE_ID_MAX, &id, NULL) < 0)
        return false;
    *out = (struct line){0};
    for (size_t i = 0; i < keys->unsubscribe_count; i++)
        out->twice = out->twice || keys->unsubscribe[i].id == id;
    if (out->twice)
        return true;
    struct crypt_unsubscribe_key *key = &keys->unsubscribe[keys->unsubscribe_count++];
    key->id = (unsigned char)id;
    *out = (struct line){key->bytes, sizeof key->bytes, false};
    return true;
}

/* "NAME: hex digits" per line; blank lines and comments may stand between. The content is never echoed. */
static int keys_parse(struct text rest, struct crypt_keys *out, struct error *err)
{
    bool have[ARRAY_LEN(key_lines)] = {false};

    *out = (struct crypt_keys){0};
    for (unsigned number = 1; rest.len > 0; number++) {
        struct text value = text_trim(text_cut(&rest, '\n'));
        if (value.len == 0 || value.ptr[0] == '#')
            continue;
        struct text name = text_trim(text_cut(&value, ':'));
        struct line line;
        if (!find_known(name, out, have, &line) && !find_unsubscribe(name, out, &line))
            return error_set(err, ERROR_CONFIG,
                             "line %u: expected \"person: KEY\", \"message-id: KEY\" or \"unsubscribe-N: KEY\" with N "
                             "from 1 to %d",
                             number, CRYPT_UNSUBSCRIBE_ID_MAX);
        if (line.twice)
            return error_set(err, ERROR_CONFIG, "line %u: a second %.*s key", number, TEXT_ARGS(name));
        if (read_hex(text_trim(value), line.key, line.size) < 0)
            return error_set(err, ERROR_CONFIG, "line %u: expected %zu hexadecimal digits for %.*s", number,
                             2 * line.size, TEXT_ARGS(name));
    }
    for (size_t i = 0; i < ARRAY_LEN(key_lines); i++)
        if (!have[i])
            return error_set(err, ERROR_CONFIG, "the %s key is missing", key_lines[i].name);
    return 0;
}

static int read_all(int fd, struct buf *out, struct stat *st, struct error *err)
{
    char block[4096];
    ssize_t got;

    if (fstat(fd, st) < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (!S_ISREG(st->st_mode))
        return error_set(err, ERROR_CONFIG, "not a file");
    if (st->st_mode & (S_IRWXG | S_IRWXO))
        return error_set(err, ERROR_CONFIG, "holds keys, but others may use it (mode %04o): chmod 600",
                         (unsigned)st->st_mode & 07777);
    if (st->st_size >= KEY_FILE_MAX)
        return error_set(err, ERROR_CONFIG, "over %d bytes", KEY_FILE_MAX - 1);
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno != EINTR)
            return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
        buf_add(out, block, got > 0 ? (size_t)got : 0);
    }
    OPENSSL_cleanse(block, sizeof block);
    return buf_failed(out) ? error_set(err, ERROR_CONFIG, "over %d bytes", KEY_FILE_MAX - 1) : 0;
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

static int write_all(int fd, struct text rest)
{
    while (rest.len > 0) {
        ssize_t written = write(fd, rest.ptr, rest.len);
        if (written < 0 && errno != EINTR)
            return -1;
        rest = text_slice(rest, written > 0 ? (size_t)written : 0, rest.len);
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    auto_free char *copy = must_strdup(path);
    auto_fd int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd);
}

static int add_fresh_key(struct buf *content, const char *name, size_t size, struct error *err)
{
    unsigned char key[CRYPT_UNSUBSCRIBE_KEY_SIZE];

    if (crypt_random(key, size, err) < 0)
        return -1;
    buf_addf(content, "%s: ", name);
    for (size_t i = 0; i < size; i++)
        buf_addf(content, "%02x", key[i]);
    buf_addc(content, '\n');
    OPENSSL_cleanse(key, sizeof key);
    return 0;
}

/* Under a name of its own first, then put in place by `place` (link or rename): the file appears whole or not at all.
 */
static int write_file(const char *path, struct text content, const struct stat *like,
                      int (*place)(const char *draft, const char *path), struct error *err)
{
    char draft[4096];
    int rc = 0;

    if (snprintf(draft, sizeof draft, "%s.XXXXXX", path) >= (int)sizeof draft)
        return error_set(err, ERROR_CONFIG, "path too long");
    auto_fd int fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if ((like && like->st_uid != geteuid() && fchown(fd, like->st_uid, like->st_gid) < 0) ||
        write_all(fd, content) < 0 || fsync(fd) < 0 || (place(draft, path) < 0 && errno != EEXIST))
        rc = error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    unlink(draft);
    if (rc == 0 && sync_folder_of(path) < 0)
        rc = error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    return rc;
}

/* Of two programs that start together one's link() wins, and both use its keys. */
static int keys_create(const char *path, struct error *err)
{
    auto_buf struct buf content;
    int rc = 0;

    buf_init(&content, KEY_FILE_MAX);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(key_lines); i++)
        rc = add_fresh_key(&content, key_lines[i].name, CRYPT_KEY_SIZE, err);
    if (rc == 0)
        rc = add_fresh_key(&content, UNSUBSCRIBE "1", CRYPT_UNSUBSCRIBE_KEY_SIZE, err);
    if (rc == 0)
        rc = write_file(path, buf_text(&content), NULL, link, err);
    OPENSSL_cleanse(content.ptr, content.len);
    return rc;
}

/* A link to the file stays a link. */
static int keys_complete(const char *path, struct buf *content, const struct stat *like, struct error *err)
{
    auto_free char *real = realpath(path, NULL);

    if (!real)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (content->len > 0 && content->ptr[content->len - 1] != '\n')
        buf_addc(content, '\n');
    return add_fresh_key(content, UNSUBSCRIBE "1", CRYPT_UNSUBSCRIBE_KEY_SIZE, err) < 0 ||
                   write_file(real, buf_text(content), like, rename, err) < 0
               ? -1
               : 0;
}

/* --- Both --------------------------------------------------------------------------------------------------------- */

static bool is_still(const char *path, const struct stat *st)
{
    struct stat now;

    return stat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* 1: another program has just put a newer file in place. */
static int keys_read(const char *path, int fd, bool complete, struct crypt_keys *out, struct error *err)
{
    auto_buf struct buf content;
    struct stat st;
    int rc;

    buf_init(&content, KEY_FILE_MAX);
    if (complete && flock(fd, LOCK_EX) < 0) /* until the file is closed */
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    rc = read_all(fd, &content, &st, err);
    if (rc == 0)
        rc = keys_parse(buf_text(&content), out, err);
    if (rc == 0 && complete && out->unsubscribe_count == 0) {
        rc = is_still(path, &st) ? keys_complete(path, &content, &st, err) : 1;
        if (rc == 0)
            rc = keys_parse(buf_text(&content), out, err);
    }
    if (content.ptr)
        OPENSSL_cleanse(content.ptr, content.len);
    return rc;
}

int crypt_keys_load(const char *path, bool complete, struct crypt_keys *out, struct error *err)
{
    int rc;

    do {
        auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT && complete) {
            if (keys_create(path, err) < 0)
                return error_at(err, "%s", path);
            fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        }
        if (fd < 0)
            return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
        rc = keys_read(path, fd, complete, out, err);
    } while (rc > 0);
    return rc < 0 ? error_at(err, "%s", path) : 0;
}

void crypt_person_key(const struct crypt_keys *keys, const char *address_key, unsigned char out[PERSON_KEY_SIZE])
{
    unsigned char hash[32];

    crypt_hmac(keys->person, text_of(address_key), hash);
    memcpy(out, hash, PERSON_KEY_SIZE);
}

void crypt_keys_mark(const struct crypt_keys *keys, char out[CRYPT_KEYS_MARK_SIZE])
{
    unsigned char hash[32];

    crypt_hmac(keys->person, (struct text){(const char *)keys->message_id, sizeof keys->message_id}, hash);
    for (size_t i = 0; i < CRYPT_KEYS_MARK_SIZE / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}
