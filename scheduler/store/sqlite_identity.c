/* sqlite_identity.c - a copy does not shout (promise 9). Who we are stands in the database; a generation is raised at
 * each start, first in the database, then in a witness file elsewhere: a database older than its witness was restored
 * or copied. A backup says itself that it is one: made and restored between two starts it has its witness's generation.
 */
#include "crypt.h"
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct witness {
    char state[33]; /* which database it is about; "" when there is no witness */
    int64_t generation;
};

/* machine-id(5) asks that the id itself is never shown: a keyed hash stands for it. */
static int machine_identity(struct buf *out, struct log *log)
{
    static const unsigned char key[CRYPT_KEY_SIZE] = "onsale: identity of a state";
    auto_file FILE *file = fopen("/etc/machine-id", "re");
    char line[128];
    unsigned char hash[32];

    struct text id = text_trim(text_of(file && fgets(line, sizeof line, file) ? line : NULL));
    if (id.len == 0) {
        log_line(log, LOG_WARNING, "event=no_machine_id hint=%s",
                 LOG_QUOTED(TEXT("/etc/machine-id is missing: set instance: so that a copy of this state is noticed")));
        buf_adds(out, "machine:unknown");
        return 0;
    }
    crypt_hmac(key, id, hash);
    buf_adds(out, "machine:");
    for (size_t i = 0; i < 16; i++)
        buf_addf(out, "%02x", hash[i]);
    return 0;
}

int sqlite_identity_init(struct sqlite_identity *identity, const struct store_spec *spec, struct error *err)
{
    auto_buf struct buf self;

    buf_init(&self, 1024);
    if (spec->instance && spec->instance[0])
        buf_addf(&self, "instance:%s", spec->instance);
    else
        machine_identity(&self, spec->log);
    if (buf_failed(&self))
        return error_set(err, ERROR_CONFIG, "instance: longer than 1000 bytes");
    identity->self = buf_take(&self);
    identity->witness_path = spec->witness_path ? must_strdup(spec->witness_path) : NULL;
    identity->log = spec->log;
    return 0;
}

void sqlite_identity_clear(struct sqlite_identity *identity)
{
    free(identity->self);
    free(identity->witness_path);
    memset(identity, 0, sizeof *identity);
}

/* A state that was never started has none yet. */
static void read_witness(const struct sqlite_identity *identity, bool expected, struct witness *out)
{
    char line[128];

    memset(out, 0, sizeof *out);
    if (!identity->witness_path)
        return;
    auto_file FILE *file = fopen(identity->witness_path, "re");
    if (!file || !fgets(line, sizeof line, file)) {
        if (expected)
            log_line(identity->log, LOG_WARNING, "event=witness_missing path=%s",
                     LOG_QUOTED(text_of(identity->witness_path)));
        return;
    }
    struct text rest = text_trim(text_of(line));
    struct text state = text_cut(&rest, ' ');
    if (state.len == sizeof out->state - 1 && parse_i64(rest, 1, INT64_MAX, &out->generation, NULL) == 0)
        memcpy(out->state, state.ptr, state.len);
    else
        log_line(identity->log, LOG_WARNING, "event=witness_unreadable path=%s",
                 LOG_QUOTED(text_of(identity->witness_path)));
}

/* Whole or not at all: written beside, then renamed. That it cannot be written is no reason to stand still. */
static void write_witness(struct sqlite *db, const struct sqlite_identity *identity, const char *state)
{
    char name[4096], line[128];

    if (!identity->witness_path)
        return;
    snprintf(name, sizeof name, "%s.new", identity->witness_path);
    int len = snprintf(line, sizeof line, "%s %lld\n", state, (long long)db->generation);
    auto_fd int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)len) != len || fsync(fd) < 0 || rename(name, identity->witness_path) < 0 ||
        sqlite_sync_folder(identity->witness_path, NULL) < 0)
        log_line(identity->log, LOG_WARNING, "event=witness_not_written path=%s why=%s",
                 LOG_QUOTED(text_of(identity->witness_path)), LOG_QUOTED(text_of(strerror(errno))));
}

static int read_meta(struct sqlite *db, const char *key, char **out, struct error *err)
{
    sqlite3_stmt *stmt = sqlite_query(db, err, "SELECT value FROM meta WHERE key = ?1", "s", key);
    int rc = stmt ? sqlite_step(db, stmt, err) : -1;

    *out = rc == 1 ? text_dup(sqlite_text(stmt, 0)) : NULL;
    if (rc == 1)
        sqlite_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int write_meta(struct sqlite *db, const char *key, const char *value, struct error *err)
{
    return sqlite_run(db, err, "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                      "ss", key, value);
}

/* What the database says of itself; `state` names it for ever, made at its first start. */
struct self {
    char *state, *identity, *generation;
    char *backup; /* when sqlite_backup() made it; NULL: it is no backup, or was adopted */
    char *path;   /* where it lay at its last start */
    int64_t number;
};

static void self_clear(struct self *self)
{
    free(self->state);
    free(self->identity);
    free(self->generation);
    free(self->backup);
    free(self->path);
}

static int self_read(struct sqlite *db, struct self *self, struct error *err)
{
    if (read_meta(db, "state", &self->state, err) < 0 || read_meta(db, "identity", &self->identity, err) < 0 ||
        read_meta(db, "generation", &self->generation, err) < 0 || read_meta(db, "backup", &self->backup, err) < 0 ||
        read_meta(db, "path", &self->path, err) < 0)
        return -1;
    return self->generation ? parse_i64(text_of(self->generation), 0, INT64_MAX, &self->number, err) : 0;
}

static int new_state(struct self *self, struct error *err)
{
    unsigned char id[16];

    if (self->state)
        return 0;
    if (crypt_random(id, sizeof id, err) < 0)
        return -1;
    self->state = must_calloc(1, 2 * sizeof id + 1);
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(self->state + 2 * i, 3, "%02x", id[i]);
    return 0;
}

/* Inside a transaction. */
static int write_self(struct sqlite *db, const struct sqlite_identity *identity, struct self *self, int64_t generation,
                      struct error *err)
{
    char number[24];
    auto_free char *path = realpath(db->path, NULL);

    snprintf(number, sizeof number, "%lld", (long long)generation);
    if (new_state(self, err) < 0 || write_meta(db, "state", self->state, err) < 0 ||
        write_meta(db, "identity", identity->self, err) < 0 || write_meta(db, "path", path ? path : db->path, err) < 0)
        return -1;
    return write_meta(db, "generation", number, err);
}

/* On the same machine a copied file has the identity of the first one, and another witness: none. Who names an instance
 * moves it as they please. */
static bool lies_elsewhere(const struct sqlite *db, const struct sqlite_identity *identity, const struct self *self)
{
    auto_free char *path = realpath(db->path, NULL);

    return self->path && path && strcmp(self->path, path) != 0 && text_starts(text_of(identity->self), "machine:");
}

static char *copy_reason(const struct sqlite *db, const struct sqlite_identity *identity, const struct self *self,
                         const struct witness *witness)
{
    auto_buf struct buf out;

    buf_init(&out, 2048);
    if (self->identity && strcmp(self->identity, identity->self) != 0)
        buf_addf(&out, "%s belongs to %s, and we are %s", db->path, self->identity, identity->self);
    else if (self->state && witness->state[0] && strcmp(self->state, witness->state) != 0)
        buf_addf(&out, "%s is another database than the one that %s knows", db->path, identity->witness_path);
    else if (!self->state && witness->state[0])
        buf_addf(&out, "%s is new, and %s knows one that was started %lld times: it was moved away, or lost", db->path,
                 identity->witness_path, (long long)witness->generation);
    else if (lies_elsewhere(db, identity, self))
        buf_addf(&out, "%s was at %s at its last start: moved, or copied", db->path, self->path);
    else if (self->backup)
        buf_addf(&out, "%s is a backup of %s: what was sent since then it cannot know", db->path, self->backup);
    else if (self->state && self->number < witness->generation)
        buf_addf(&out, "%s is older (start %lld) than %s says (start %lld): restored from a backup, or copied",
                 db->path, (long long)self->number, identity->witness_path, (long long)witness->generation);
    return out.len ? buf_take(&out) : NULL;
}

static int raise_generation(struct sqlite *db, const struct sqlite_identity *identity, struct self *self,
                            struct error *err)
{
    if (sqlite_begin(db, err) < 0)
        return -1;
    if (write_self(db, identity, self, self->number + 1, err) < 0) {
        sqlite_rollback(db);
        return -1;
    }
    if (sqlite_commit(db, err) < 0)
        return -1;
    db->generation = self->number + 1;
    write_witness(db, identity, self->state);
    return 0;
}

int sqlite_identify(struct sqlite *db, const struct sqlite_identity *identity, char **reason, struct error *err)
{
    struct self self = {0};
    struct witness witness;
    int rc = self_read(db, &self, err);

    *reason = NULL;
    if (rc == 0) {
        read_witness(identity, self.state != NULL, &witness);
        *reason = copy_reason(db, identity, &self, &witness);
        db->copy = *reason != NULL;
        db->generation = self.number;
        if (!db->copy)
            rc = raise_generation(db, identity, &self, err);
    }
    self_clear(&self);
    return rc;
}

int sqlite_adopt(struct sqlite *db, const struct sqlite_identity *identity, int64_t *generation, struct error *err)
{
    struct self self = {0};
    struct witness witness;
    int rc = self_read(db, &self, err);

    if (rc == 0) {
        read_witness(identity, true, &witness);
        *generation = (self.number > witness.generation ? self.number : witness.generation) + 1;
        rc = write_self(db, identity, &self, *generation, err);
        if (rc == 0)
            rc = sqlite_run(db, err, "DELETE FROM meta WHERE key = 'backup'", "");
    }
    self_clear(&self);
    return rc;
}

int sqlite_adopted(struct sqlite *db, const struct sqlite_identity *identity, int64_t generation, struct error *err)
{
    struct self self = {0};
    int rc = self_read(db, &self, err);

    if (rc == 0) {
        db->generation = generation;
        db->copy = false;
        write_witness(db, identity, self.state);
    }
    self_clear(&self);
    return rc;
}

int sqlite_keyed(struct sqlite *db, char **mark, struct error *err)
{
    return read_meta(db, "keys", mark, err);
}

int sqlite_key(struct sqlite *db, const char *mark, struct error *err)
{
    return write_meta(db, "keys", mark, err);
}
