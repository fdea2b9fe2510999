/* sqlite_source_id.c - people by what their tool calls them. An index would be written at as many places as there are
 * people, while a million of them are gathered: instead each page of people leaves one row of hashes, four bytes for
 * each in the order of their numbers, and whoever asks looks through all of them: 4 MB for a million. */
#include "sqlite.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

enum {
    ROW_MAX = 500,        /* people of a row that is made from what was stored before */
    FILTER_BITS = 1 << 12 /* of what is looked for */
};

/* FNV-1a, 32 bit. 0: they have none, or were forgotten. */
static uint32_t hash_of(struct text id)
{
    uint32_t hash = 0x811c9dc5;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * 0x01000193;
    return id.len == 0 ? 0 : hash ? hash : 1;
}

/* --- Keeping them --------------------------------------------------------------------------------------------------
 */

void sqlite_ids_add(struct sqlite_ids *ids, struct text source_id)
{
    uint32_t hash = htole32(hash_of(source_id));

    assert(ids->count < SQLITE_IDS_MAX);
    memcpy(ids->hashes + sizeof hash * ids->count++, &hash, sizeof hash);
}

int sqlite_ids_keep(struct sqlite *db, const struct sqlite_ids *ids, int64_t roll, struct error *err)
{
    if (ids->count == 0)
        return 0;
    return sqlite_run(db, err, "INSERT INTO person_ids VALUES(?1, ?2, ?3)", "iib", roll, ids->first_seq,
                      (struct text){(const char *)ids->hashes, sizeof(uint32_t) * ids->count});
}

/* Theirs alone: those beside it stay where they are. */
int sqlite_ids_forget(struct sqlite *db, int64_t roll, int64_t seq, struct error *err)
{
    unsigned char hashes[sizeof(uint32_t) * SQLITE_IDS_MAX];
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT first_seq, hashes FROM person_ids WHERE roll = ?1 AND first_seq <= ?2"
                                     " ORDER BY first_seq DESC LIMIT 1",
                                     "ii", roll, seq);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc;
    int64_t first = sqlite3_column_int64(row, 0);
    size_t size = (size_t)sqlite3_column_bytes(row, 1), at = sizeof(uint32_t) * (size_t)(seq - first);
    bool here = at < size && size <= sizeof hashes;
    if (here)
        memcpy(hashes, sqlite3_column_blob(row, 1), size);
    sqlite_done(row);
    if (!here)
        return 0;
    memset(hashes + at, 0, sizeof(uint32_t));
    return sqlite_run(db, err, "UPDATE person_ids SET hashes = ?3 WHERE roll = ?1 AND first_seq = ?2", "iib", roll,
                      first, (struct text){(const char *)hashes, size});
}

/* Who was erased has left a hole in the numbers. */
int sqlite_ids_keep_stored(struct sqlite *db, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT roll, seq, source_id FROM person ORDER BY roll, seq", "");
    struct sqlite_ids ids = {0};
    int64_t roll = 0;
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        int64_t seq = sqlite3_column_int64(row, 1);
        if (ids.count == ROW_MAX || sqlite3_column_int64(row, 0) != roll || seq != ids.first_seq + (int64_t)ids.count) {
            if (sqlite_ids_keep(db, &ids, roll, err) < 0) {
                sqlite_done(row);
                return -1;
            }
            roll = sqlite3_column_int64(row, 0);
            ids = (struct sqlite_ids){.first_seq = seq};
        }
        sqlite_ids_add(&ids, sqlite_text(row, 2));
    }
    return rc < 0 ? -1 : sqlite_ids_keep(db, &ids, roll, err);
}

/* --- Finding them --------------------------------------------------------------------------------------------------
 */

/* An audience in which somebody is called so, and who that is. */
struct sighting {
    const char *source;
    unsigned char key[PERSON_KEY_SIZE];
    struct sighting *next;
};

struct search {
    struct sqlite *db;
    struct arena arena;
    struct sqlite_wanted *list;
    size_t count, left; /* left: not seen at all yet */
    const char *audience;
    uint32_t *hashes;            /* of the list */
    struct sighting **sightings; /* of each */
    uint64_t filter[FILTER_BITS / 64];
};

static void search_init(struct search *s, struct sqlite *db, struct sqlite_wanted *list, size_t count,
                        const char *audience)
{
    *s = (struct search){.db = db, .list = list, .count = count, .left = count, .audience = audience};
    s->hashes = arena_alloc(&s->arena, (count + 1) * sizeof *s->hashes);
    s->sightings = arena_alloc(&s->arena, (count + 1) * sizeof(struct sighting *));
    for (size_t i = 0; i < count; i++) {
        s->hashes[i] = hash_of(text_of(list[i].id));
        s->sightings[i] = NULL;
        if (s->hashes[i])
            s->filter[s->hashes[i] % FILTER_BITS / 64] |= UINT64_C(1) << s->hashes[i] % 64;
        else
            s->left--; /* nobody is called nothing */
    }
}

static struct sighting *find_sighting(struct sighting *list, struct text source)
{
    while (list && !text_is(source, list->source))
        list = list->next;
    return list;
}

/* Lists are looked through from the newest: an address that changed is the later one. */
static int look_at_person(struct search *s, size_t at, int64_t roll, int64_t seq, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(s->db, err,
                                     "SELECT p.source, t.key FROM person p JOIN told t ON t.roll = p.roll AND t.seq ="
                                     " p.seq WHERE p.roll = ?1 AND p.seq = ?2 AND p.source_id = ?3"
                                     " AND (?4 = '' OR p.source = ?4)",
                                     "iiss", roll, seq, s->list[at].id, s->audience);
    int rc = row ? sqlite_step(s->db, row, err) : -1;

    if (rc != 1)
        return rc;
    if (!find_sighting(s->sightings[at], sqlite_text(row, 0))) {
        struct sighting *seen = arena_alloc(&s->arena, sizeof *seen);
        *seen = (struct sighting){arena_copy(&s->arena, sqlite_text(row, 0)), {0}, s->sightings[at]};
        memcpy(seen->key, sqlite3_column_blob(row, 1), PERSON_KEY_SIZE);
        s->left -= s->sightings[at] == NULL;
        s->sightings[at] = seen;
    }
    sqlite_done(row);
    return 0;
}

static int look_at_row(struct search *s, sqlite3_stmt *row, struct error *err)
{
    int64_t roll = sqlite3_column_int64(row, 0), first = sqlite3_column_int64(row, 1);
    const unsigned char *bytes = sqlite3_column_blob(row, 2);
    size_t count = (size_t)sqlite3_column_bytes(row, 2) / sizeof(uint32_t);

    for (size_t i = 0; i < count; i++) {
        uint32_t hash;
        memcpy(&hash, bytes + i * sizeof hash, sizeof hash);
        hash = le32toh(hash);
        if (!(s->filter[hash % FILTER_BITS / 64] >> hash % 64 & 1))
            continue;
        for (size_t k = 0; k < s->count; k++)
            if (s->hashes[k] == hash && hash && look_at_person(s, k, roll, first + (int64_t)i, err) < 0)
                return -1;
    }
    return 0;
}

/* Who of several audiences is called so is one person, or nobody can say which. */
static void judge(struct sqlite_wanted *wanted, const struct sighting *seen)
{
    wanted->found = seen ? SQLITE_FOUND_ONE : SQLITE_FOUND_NOBODY;
    if (seen)
        memcpy(wanted->key, seen->key, sizeof wanted->key);
    for (; seen; seen = seen->next)
        if (memcmp(seen->key, wanted->key, sizeof wanted->key) != 0)
            wanted->found = SQLITE_FOUND_SEVERAL;
}

int sqlite_ids_find(struct sqlite *db, struct sqlite_wanted *list, size_t count, const char *audience,
                    struct error *err)
{
    struct search s;
    int rc = 1;

    search_init(&s, db, list, count, audience);
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT roll, first_seq, hashes FROM person_ids ORDER BY roll DESC, first_seq DESC", "");
    if (!row)
        rc = -1;
    while (rc == 1 && (s.left > 0 || !*audience)) {
        rc = sqlite_step(db, row, err);
        if (rc == 1 && look_at_row(&s, row, err) < 0)
            rc = -1;
    }
    if (row)
        sqlite_done(row);
    for (size_t i = 0; i < count; i++)
        judge(&list[i], s.sightings[i]);
    arena_clear(&s.arena);
    return rc < 0 ? -1 : 0;
}

/* {id: key in hex, or null: several} */
json_t *sqlite_source_ids(struct sqlite *db, const char *source_ids, const char *audience, struct error *err)
{
    json_t *ids = json_loads(source_ids ? source_ids : "[]", 0, NULL), *out = json_object();
    size_t count = json_array_size(ids);
    struct sqlite_wanted *list = must_calloc(count + 1, sizeof *list);
    char hex[2 * PERSON_KEY_SIZE + 1];

    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        list[i].id = id ? id : "";
    }
    if (sqlite_ids_find(db, list, count, audience ? audience : "", err) < 0) {
        json_decref(out);
        out = NULL;
    }
    for (size_t i = 0; out && i < count; i++) {
        for (size_t k = 0; k < PERSON_KEY_SIZE; k++)
            snprintf(hex + 2 * k, 3, "%02x", list[i].key[k]);
        if (list[i].found != SQLITE_FOUND_NOBODY)
            json_object_set_new(out, list[i].id, list[i].found == SQLITE_FOUND_ONE ? json_string(hex) : json_null());
    }
    free(list);
    json_decref(ids);
    return out;
}
