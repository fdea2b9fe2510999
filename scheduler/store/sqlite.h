/* sqlite.h - the SQLite driver behind store.h: plain blocking functions over one connection. A connection belongs to
 * one thread at a time. Inside store/ only. */
#ifndef ONSALE_SQLITE_H
#define ONSALE_SQLITE_H

#include "said.h"
#include "store.h"
#include "webhook.h"

#include <sqlite3.h>
#include <stdatomic.h>

enum sqlite_mode {
    SQLITE_WRITER, /* makes the file when there is none */
    SQLITE_READER,
    SQLITE_KEEPER, /* folds the write-ahead log into the file; never begins a transaction */
};

struct sqlite {
    sqlite3 *handle;
    char *path;
    bool fresh;         /* this start made the file */
    int64_t generation; /* of the daemon; claims carry it */
    bool copy;          /* looks like a copy of another's state: no claim is made */
    bool wipe;          /* the write-ahead log is to be emptied: it holds what was to be forgotten, or room is wanted */
    int log_pages;      /* the writer's: in the write-ahead log, as of its last commit */
    bool full;          /* a write found no room */
    bool told;          /* the job that runs has left something to be told */
    struct error damage; /* the first that was found in the file; it does not pass */
#ifdef ONSALE_FAILPOINTS
    long commits;
#endif
    struct sqlite_statement { /* prepared once, found by the address of their text */
        const char *sql;
        sqlite3_stmt *stmt;
    } statements[256];
};

/* --- sqlite.c: connection and statements --- */
struct sqlite *sqlite_open(const char *path, enum sqlite_mode mode, struct error *err);
void sqlite_close(struct sqlite *db);
/* Keeps a second daemon out: an open, locked file that holds our pid, or -1. */
int sqlite_lock(const char *path, struct error *err);
/* Bytes that may still be written where a path lies, by others than root. */
int sqlite_room(const char *path, int64_t *out, struct error *err);
/* That a file of this name is there, or no longer, survives a power cut from here on. */
int sqlite_sync_folder(const char *path, struct error *err);

int sqlite_begin(struct sqlite *db, struct error *err);
int sqlite_commit(struct sqlite *db, struct error *err); /* rolls back when it fails */
void sqlite_rollback(struct sqlite *db);
/* Folds the write-ahead log into the file and empties it, so that it keeps nothing that was deleted. Outside of a
 * transaction; waits for nobody: `wipe` stays set while a reader is in the way. */
void sqlite_wipe_log(struct sqlite *db, struct error *err);
/* As many pages as a file's write-ahead log may hold, by its length. */
int sqlite_log_pages(const char *path);
/* Folds what is left of the write-ahead log into the file, so that the next transaction may begin it anew. As above. */
void sqlite_fold_log(struct sqlite *db);
int sqlite_exec(struct sqlite *db, const char *sql, struct error *err);

/* What SQLite last complained about, with the file and a way out; -1. */
int sqlite_failed(struct sqlite *db, struct error *err);

/* A literal's statement with its values bound in order. `types` has a letter for each:
 *   i int64_t   d int   s const char * (NULL: null)   t struct text   m moment (MOMENT_NONE: null)   k person's key
 *   b struct text, as bytes
 * What is bound must live until the statement is done. NULL and `err` on failure. */
sqlite3_stmt *sqlite_query(struct sqlite *db, struct error *err, const char *sql, const char *types, ...);
/* 1 a row, 0 no more (the statement is reset), -1 failed (reset as well). */
int sqlite_step(struct sqlite *db, sqlite3_stmt *stmt, struct error *err);
void sqlite_done(sqlite3_stmt *stmt); /* leaves a statement before its last row */
/* One that gives no rows. */
int sqlite_run(struct sqlite *db, struct error *err, const char *sql, const char *types, ...);
/* The first column of the first row, or `fallback` when there is none or it is null. */
int sqlite_number(struct sqlite *db, int64_t fallback, int64_t *out, struct error *err, const char *sql,
                  const char *types, ...);

int64_t sqlite_moment(sqlite3_stmt *stmt, int column); /* MOMENT_NONE for null */
struct text sqlite_text(sqlite3_stmt *stmt, int column);
const char *sqlite_string(sqlite3_stmt *stmt, int column); /* "" for null */

/* --- sqlite_ballast.c: room that is kept, in a file of its own that is given back when the disk is full --- */
/* How much of `wanted` bytes can be kept on that disk. */
int sqlite_reserve(const char *path, int64_t wanted, int64_t *out, struct error *err);
/* Makes the file when it is not there and there is room for it. `room`: what is free beyond it. */
int sqlite_ballast_keep(const char *path, int64_t reserve, int64_t *room, struct error *err);
void sqlite_ballast_drop(const char *path);

/* --- sqlite_schema.c --- */
/* Before anything is changed: a database of ours, or an empty one. */
int sqlite_check_ours(struct sqlite *db, struct error *err);
int sqlite_migrate(struct sqlite *db, struct error *err);
int sqlite_check_schema(struct sqlite *db, struct error *err); /* for readers: ours, and of a known version */

/* --- sqlite_identity.c: promise 9 --- */
struct sqlite_identity {
    char *self;         /* who we are: "instance:NAME" or "machine:HASH" */
    char *witness_path; /* NULL: none */
    struct log *log;
};
int sqlite_identity_init(struct sqlite_identity *identity, const struct store_spec *spec, struct error *err);
void sqlite_identity_clear(struct sqlite_identity *identity);
/* Raises the generation, or finds that this is a copy: then nothing is changed and `reason` is filled. */
int sqlite_identify(struct sqlite *db, const struct sqlite_identity *identity, char **reason, struct error *err);
/* Two steps, with a commit between: the state is declared ours; then claims are made again. */
int sqlite_adopt(struct sqlite *db, const struct sqlite_identity *identity, int64_t *generation, struct error *err);
int sqlite_adopted(struct sqlite *db, const struct sqlite_identity *identity, int64_t generation, struct error *err);
/* The mark of the keys that people are hashed with here; NULL before any. */
int sqlite_keyed(struct sqlite *db, char **mark, struct error *err);
int sqlite_key(struct sqlite *db, const char *mark, struct error *err);

/* --- sqlite_plan.c --- */
int sqlite_load(struct sqlite *db, int64_t now_ms, struct store_image *out, struct error *err);
int sqlite_apply(struct sqlite *db, const struct store_change *change, struct error *err);

/* --- sqlite_calendar.c --- */
int sqlite_publish(struct sqlite *db, const struct store_calendars *what, struct error *err);
int sqlite_calendars(struct sqlite *db, const char *site, struct arena *arena, struct store_calendars *out,
                     struct error *err);

/* --- sqlite_webhook.c: what other programs are told --- */
int sqlite_webhook_was(struct sqlite *db, int64_t notice, struct webhook_was *out, struct error *err);
/* Both in the transaction that has just stored it. */
int sqlite_webhook_notice(struct sqlite *db, const struct webhook_was *was, const struct notice *now, int64_t now_ms,
                          struct error *err);
int sqlite_webhook_opening(struct sqlite *db, const struct opening *opening, int64_t now_ms, struct error *err);
int sqlite_webhook_openings(struct sqlite *db, int64_t now_ms, int64_t quiet_ms, int64_t *next_at_ms,
                            struct error *err);
int sqlite_webhooks_set(struct sqlite *db, const struct store_webhook *list, size_t count, int64_t *dropped,
                        struct error *err);
int sqlite_webhook_turn(struct sqlite *db, const struct store_webhook_turn *turn, struct arena *arena,
                        struct store_webhook_turned *out, struct error *err);
int sqlite_webhook_enable(struct sqlite *db, const char *name, int64_t now_ms, int64_t *found, struct error *err);
json_t *sqlite_webhooks(struct sqlite *db, struct error *err);

/* --- sqlite_gather.c --- */
int sqlite_gather(struct sqlite *db, const struct store_gather *page, struct store_gathered *out, struct error *err);
char *sqlite_cursor(struct sqlite *db, int64_t roll, int64_t pass, unsigned audience);

/* --- sqlite_consent.c: may this person be told now? --- */
struct sqlite_words { /* columns of told and word, as they stand */
    int64_t yes, pass, before_yes, before_pass;
    int64_t no, word_pass, before_no, before_word_pass; /* 0 when nothing was said */
    bool suppressed;                                    /* our own list says something */
};
enum { SQLITE_NEVER = 32 }; /* the bit of word.no for "never mail", above those of 32 audiences */
int sqlite_judge(struct sqlite *db, int64_t roll, int64_t pass, const unsigned char *key,
                 const struct sqlite_words *words, enum withheld *out, struct error *err);

/* --- sqlite_suppression.c: our own list, and what is written back of it --- */
int sqlite_suppress(struct sqlite *db, const struct store_suppression *list, size_t count, int64_t *changed,
                    struct error *err);
int sqlite_writebacks_due(struct sqlite *db, const char *audience, int64_t now_ms, int64_t limit, struct arena *arena,
                          struct store_writebacks *out, struct error *err);
/* How many wait, due or not, and since when the first; MOMENT_NONE: none does. */
int sqlite_writebacks_waiting(struct sqlite *db, int64_t *count, int64_t *since_ms, struct error *err);
int sqlite_writebacks_hurry(struct sqlite *db, int64_t now_ms, struct error *err);
int sqlite_writeback_done(struct sqlite *db, int64_t id, struct error *err);
int sqlite_writeback_again(struct sqlite *db, int64_t id, int64_t next_at_ms, int attempts, struct error *err);
json_t *sqlite_suppressions(struct sqlite *db, const char *behind, int64_t limit, struct error *err);

/* --- sqlite_erase.c: the right to be forgotten --- */
struct sqlite_erase {
    unsigned char key[PERSON_KEY_SIZE];
    int64_t now_ms;
};
int sqlite_erase(struct sqlite *db, const struct sqlite_erase *what, struct arena *arena, struct store_erased *out,
                 struct error *err);
/* 1: their address may never be on disk again; 0; -1. */
int sqlite_is_erased(struct sqlite *db, const unsigned char *key, struct error *err);
/* A notice took over the people of another, or came back with none: those among them who are erased are withheld. */
int sqlite_erase_again(struct sqlite *db, int64_t notice, int64_t roll, int64_t now_ms, struct error *err);

/* --- sqlite_forget.c: retention --- */
int sqlite_forget(struct sqlite *db, const struct store_forget *what, struct store_forgotten *out, struct error *err);

/* --- sqlite_claim.c: who is handed over next --- */
struct sqlite_deliveries { /* grows in its arena; texts go there too */
    struct arena *arena;
    struct store_delivery *at;
    size_t count, room;
    int64_t withheld[WITHHELD_REASONS]; /* passed over, by the claims that were made */
};
/* 0; 1 when the notice has ended and gives nobody; -1. */
int sqlite_claim(struct sqlite *db, const char *channel, const struct store_claim *claim, int64_t now_ms,
                 struct sqlite_deliveries *out, struct error *err);

/* --- sqlite_channel.c --- */
int sqlite_keep_wait(struct sqlite *db, const struct store_wait *wait, struct error *err);
int sqlite_keep_speed(struct sqlite *db, const struct store_speed *speed, struct error *err);
int sqlite_recall(struct sqlite *db, const char *channel, int64_t since_ms, struct store_recalled *out,
                  struct error *err);

/* --- sqlite_ledger.c --- */
struct sqlite_launch {
    int64_t notice;
    const char *channel;
    int repeat_below; /* what is in doubt is tried again when its attempt was below this; 0: never */
    int64_t now_ms;
};
int sqlite_launch(struct sqlite *db, const struct sqlite_launch *what, struct arena *arena, struct store_launch *out,
                  struct error *err);
int sqlite_turn(struct sqlite *db, const struct store_turn *turn, struct arena *arena, struct store_turned *out,
                struct error *err);
/* Slice by slice: 1 when there is another, 0 when it was the last. */
struct sqlite_retry {
    int64_t behind; /* looked at up to this seq */
    int64_t moved;  /* by all slices */
    int64_t kept;   /* by those before the last: they are committed */
};
int sqlite_retry(struct sqlite *db, const struct store_retry *what, struct sqlite_retry *progress, struct error *err);
int sqlite_evidence(struct sqlite *db, int64_t notice, int64_t at_ms, const char *json, struct error *err);
/* The number of a text, which is stored once. */
int sqlite_text_id(struct sqlite *db, const char *text, int64_t *out, struct error *err);
/* Appends one fate; `step` counts the fates of a person in a notice from 1; `claim` 0: it answers none. */
int sqlite_append_fate(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t step,
                       int64_t claim, struct error *err);

/* --- sqlite_sums.c: what a report says of fates, kept beside them --- */
struct sqlite_late { /* so many were accepted at that moment, and are not counted yet */
    int64_t at_ms, people;
};
int sqlite_late_add(struct sqlite *db, int64_t notice, const char *channel, struct sqlite_late *late, int64_t at_ms,
                    struct error *err);
int sqlite_late_flush(struct sqlite *db, int64_t notice, const char *channel, struct sqlite_late *late,
                      struct error *err);
/* {median, p99, last}: hand-over less due, in ms, of accepted ones, to one in a hundred; one channel's, or NULL. */
json_t *sqlite_percentiles(struct sqlite *db, int64_t notice, const char *channel, struct error *err);
/* A fate is about to be appended; `text`: its number, or MOMENT_NONE. */
int sqlite_sum_fate(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t step, int64_t text,
                    struct error *err);
/* So many, of whom something else was said before, are to be tried again at an operator's word. */
int sqlite_sum_waiting(struct sqlite *db, int64_t notice, const char *channel, int64_t people, struct error *err);
int sqlite_forget_sums(struct sqlite *db, int64_t notice, struct error *err);

/* What a turn adds to the counters of one notice on one channel. */
struct sqlite_delta {
    struct sqlite_late late;
    int64_t live, accepted, refused, in_doubt, withheld;
    int64_t claimed_to;              /* 0: unchanged */
    int64_t first_at_ms, last_at_ms; /* of accepted ones; MOMENT_NONE: none */
};
void sqlite_delta_add(struct sqlite_delta *delta, const struct store_fate *fate);
int sqlite_count(struct sqlite *db, int64_t notice, const char *channel, struct sqlite_delta *delta, struct error *err);
/* Of people, over all channels; a notice that has ended counts everybody left as withheld. */
int sqlite_tally(struct sqlite *db, int64_t notice, struct tally *out, uint32_t *claimed_to, uint32_t *last_seq,
                 struct error *err);

/* --- sqlite_hook.c: what others told us --- */
int sqlite_hook(struct sqlite *db, const struct store_hook *hook, struct store_hooked *out, struct error *err);

/* --- sqlite_feedback.c: what came back --- */
int sqlite_feedback(struct sqlite *db, const struct store_feedback *list, size_t count, struct store_fed_back *out,
                    struct error *err);
json_t *sqlite_feedback_counts(struct sqlite *db, int64_t notice, struct error *err); /* {hard, soft, ...} */
/* Appends what came back from one person as steps of `why`. */
void sqlite_feedback_steps(struct sqlite *db, int64_t notice, int64_t seq, json_t *steps, struct error *err);
/* 1: it is one for which nobody is written to any more, and this is the word that is stored of it, but for whom. */
int sqlite_feedback_word(const struct store_feedback *what, struct store_suppression *out);

/* --- sqlite_source_id.c: people by what their tool calls them --- */
enum { SQLITE_IDS_MAX = 512 }; /* people of one row */
struct sqlite_ids {            /* zero bytes but for first_seq; of people with consecutive numbers */
    int64_t first_seq;
    size_t count;
    unsigned char hashes[SQLITE_IDS_MAX * sizeof(uint32_t)];
};
void sqlite_ids_add(struct sqlite_ids *ids, struct text source_id);
int sqlite_ids_keep(struct sqlite *db, const struct sqlite_ids *ids, int64_t roll, struct error *err);
int sqlite_ids_forget(struct sqlite *db, int64_t roll, int64_t seq, struct error *err); /* who is erased */
int sqlite_ids_keep_stored(struct sqlite *db, struct error *err); /* of everybody, when none were kept before */
struct sqlite_wanted {
    const char *id;
    enum { SQLITE_FOUND_NOBODY, SQLITE_FOUND_ONE, SQLITE_FOUND_SEVERAL } found;
    unsigned char key[PERSON_KEY_SIZE]; /* one */
};
/* `audience` "": whichever calls somebody so; several: two of them call different people so. */
int sqlite_ids_find(struct sqlite *db, struct sqlite_wanted *list, size_t count, const char *audience,
                    struct error *err);
json_t *sqlite_source_ids(struct sqlite *db, const char *source_ids, const char *audience, struct error *err);

/* --- sqlite_unmet.c: words about people whom no list has yet --- */
int sqlite_unmet_keep(struct sqlite *db, const char *audience, const char *source_id,
                      const struct store_suppression *word, struct error *err);
/* 1: of some people of that audience something was said. */
int sqlite_unmet_any(struct sqlite *db, const char *audience, int64_t now_ms, struct error *err);
/* Somebody is read: whatever was said of them is stored in our own list. */
int sqlite_unmet_meet(struct sqlite *db, const char *audience, const struct store_person *who, int64_t now_ms,
                      struct error *err);

/* --- sqlite_private_feed.c --- */
int sqlite_private_feeds(struct sqlite *db, struct store_private_feeds *out, struct error *err);
int sqlite_keep_private_feed(struct sqlite *db, const struct store_private_feed *feed, const unsigned char *gone,
                             int64_t now_ms, struct error *err);
int sqlite_private_fetches(struct sqlite *db, const struct store_private_feed *feeds, size_t count, struct error *err);
json_t *sqlite_private_feeds_report(struct sqlite *db, int64_t after, int64_t limit, struct error *err);

/* --- sqlite_report.c, sqlite_people.c, sqlite_audit.c: NULL and `err` on failure --- */
json_t *sqlite_report(struct sqlite *db, const struct store_report *what, struct error *err);
json_t *sqlite_report_people(struct sqlite *db, const struct store_report *what, struct error *err);
json_t *sqlite_report_why(struct sqlite *db, const struct store_report *what, struct error *err);
json_t *sqlite_export(struct sqlite *db, const struct store_report *what, struct error *err); /* sqlite_export.c */
json_t *sqlite_audit(struct sqlite *db, struct error *err);
json_t *sqlite_report_person(struct sqlite *db, const struct store_report *what, struct error *err);
json_t *sqlite_report_next(struct sqlite *db, const struct store_report *what, struct error *err);
json_t *sqlite_json_text(sqlite3_stmt *stmt, int column);   /* null for null */
json_t *sqlite_json_moment(sqlite3_stmt *stmt, int column); /* RFC 3339 */

/* --- sqlite_backup.c: the state of one moment, into another file --- */
struct sqlite_backup {
    const char *from, *to; /* a database; a new file beside it or elsewhere */
    bool nameless;         /* `to` is unlinked as soon as it is open, and need not survive a power cut */
    int64_t now_ms;        /* the copy says that it is one, and of when: it is held until somebody adopts it */
    int64_t leave_bytes;   /* so much stays free for the ledger */
    atomic_bool *stop;     /* any thread: give up; NULL: nobody stops it */
};
/* Any thread; blocking. The open file, or -1. */
int sqlite_backup(const struct sqlite_backup *what, struct store_copy *out, struct error *err);
/* What a copy that was cut off has left in the folder of a database. */
void sqlite_backup_sweep(const char *path);

#endif
