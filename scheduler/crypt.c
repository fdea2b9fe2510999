#include "crypt.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_FILE_MAX = 4096 };

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

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int read_hex(struct text hex, unsigned char out[CRYPT_KEY_SIZE])
{
    if (hex.len != 2 * CRYPT_KEY_SIZE)
        return -1;
    for (size_t i = 0; i < CRYPT_KEY_SIZE; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

/* "NAME: 64 hex digits" per line; blank lines and comments may stand between. The content is never echoed. */
static int keys_parse(struct text rest, struct crypt_keys *out, struct error *err)
{
    bool have[ARRAY_LEN(key_lines)] = {false};

    for (unsigned number = 1; rest.len > 0; number++) {
        struct text value = text_trim(text_cut(&rest, '\n'));
        if (value.len == 0 || value.ptr[0] == '#')
            continue;
        struct text name = text_trim(text_cut(&value, ':'));
        size_t i = 0;
        while (i < ARRAY_LEN(key_lines) && !text_is(name, key_lines[i].name))
            i++;
        if (i == ARRAY_LEN(key_lines))
            return error_set(err, ERROR_CONFIG, "line %u: expected \"person: KEY\" or \"message-id: KEY\"", number);
        if (have[i])
            return error_set(err, ERROR_CONFIG, "line %u: a second %s key", number, key_lines[i].name);
        if (read_hex(text_trim(value), key_of(out, i)) < 0)
            return error_set(err, ERROR_CONFIG, "line %u: expected %d hexadecimal digits for %s", number,
                             2 * CRYPT_KEY_SIZE, key_lines[i].name);
        have[i] = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(key_lines); i++)
        if (!have[i])
            return error_set(err, ERROR_CONFIG, "the %s key is missing", key_lines[i].name);
    return 0;
}

static int keys_read(int fd, struct crypt_keys *out, struct error *err)
{
    char content[KEY_FILE_MAX];
    struct stat st;
    size_t len = 0;
    ssize_t got;

    if (fstat(fd, &st) < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_CONFIG, "not a file");
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(err, ERROR_CONFIG, "holds keys, but others may use it (mode %04o): chmod 600",
                         (unsigned)st.st_mode & 07777);
    while (len < sizeof content && (got = read(fd, content + len, sizeof content - len)) != 0) {
        if (got < 0 && errno != EINTR)
            return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
        len += got > 0 ? (size_t)got : 0;
    }
    int rc = len < sizeof content ? keys_parse((struct text){content, len}, out, err)
                                  : error_set(err, ERROR_CONFIG, "over %d bytes", KEY_FILE_MAX - 1);
    OPENSSL_cleanse(content, sizeof content);
    return rc;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno != EINTR)
            return -1;
        bytes += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    auto_free char *copy = must_strdup(path);
    auto_fd int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd);
}

/* Fresh keys under a name of their own, then linked into place: the file appears whole or not at all, and of two
 * programs that start together one wins and both use its keys. */
static int keys_create(const char *path, struct error *err)
{
    char draft[4096], content[KEY_FILE_MAX];
    struct crypt_keys fresh;
    size_t len = 0;
    int rc = 0;

    if (crypt_random(&fresh, sizeof fresh, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(key_lines); i++) {
        len += (size_t)sprintf(content + len, "%s: ", key_lines[i].name);
        for (size_t j = 0; j < CRYPT_KEY_SIZE; j++)
            len += (size_t)sprintf(content + len, "%02x", key_of(&fresh, i)[j]);
        content[len++] = '\n';
    }
    OPENSSL_cleanse(&fresh, sizeof fresh);

    if (snprintf(draft, sizeof draft, "%s.XXXXXX", path) >= (int)sizeof draft)
        return error_set(err, ERROR_CONFIG, "path too long");
    auto_fd int fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (write_all(fd, content, len) < 0 || fsync(fd) < 0 || (link(draft, path) < 0 && errno != EEXIST))
        rc = error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    OPENSSL_cleanse(content, sizeof content);
    unlink(draft);
    if (rc == 0 && sync_folder_of(path) < 0)
        rc = error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    return rc;
}

int crypt_keys_load(const char *path, bool create, struct crypt_keys *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT && create) {
        if (keys_create(path, err) < 0)
            return error_at(err, "%s", path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    int rc = keys_read(fd, out, err);
    close(fd);
    return rc < 0 ? error_at(err, "%s", path) : 0;
}

void crypt_hmac(const unsigned char key[CRYPT_KEY_SIZE], struct text message, unsigned char out[32])
{
    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, CRYPT_KEY_SIZE, (const unsigned char *)message.ptr,
                   message.len, out, 32, NULL)) {
        fputs("onsale: libcrypto offers no HMAC-SHA256\n", stderr);
        abort(); /* a wrong key for a person would tell somebody twice */
    }
}

void crypt_person_key(const struct crypt_keys *keys, const char *address_key, unsigned char out[PERSON_KEY_SIZE])
{
    unsigned char hash[32];

    crypt_hmac(keys->person, text_of(address_key), hash);
    memcpy(out, hash, PERSON_KEY_SIZE);
}

void crypt_message_token(const struct crypt_keys *keys, int64_t notice, const unsigned char person[PERSON_KEY_SIZE],
                         const char *channel, char out[27])
{
    auto_buf struct buf message;
    unsigned char hash[32];
    unsigned bits = 0, have = 0;
    size_t next = 0;

    buf_init(&message, 4096);
    buf_addf(&message, "%lld|", (long long)notice);
    for (size_t i = 0; i < PERSON_KEY_SIZE; i++)
        buf_addf(&message, "%02x", person[i]);
    buf_addf(&message, "|%s", channel);
    crypt_hmac(keys->message_id, buf_text(&message), hash);

    for (size_t i = 0; i < 26; i++) { /* 130 bits of the hash */
        if (have < 5) {
            bits = bits << 8 | hash[next++];
            have += 8;
        }
        have -= 5;
        out[i] = "abcdefghijklmnopqrstuvwxyz234567"[bits >> have & 31];
    }
    out[26] = '\0';
}

bool crypt_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

int crypt_random(void *out, size_t size, struct error *err)
{
    if (size > INT32_MAX || RAND_bytes(out, (int)size) != 1)
        return error_set(err, ERROR_TRY_LATER, "no random bytes from the system");
    return 0;
}

uint64_t crypt_random_u64(void)
{
    uint64_t value;

    if (crypt_random(&value, sizeof value, NULL) < 0) {
        fputs("onsale: no random bytes from the system\n", stderr);
        abort();
    }
    return value;
}
