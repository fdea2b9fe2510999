/* store.h - what we remember. One writer thread and one reader thread run plain blocking functions, one after another;
 * everything here is called from the loop thread unless it says otherwise. Several waiting writes share one commit; an
 * answer comes only after the commit that holds it is on disk.
 *
 * A job's owner keeps its pointer, clears it in the callback, and cancels it before going away: a cancelled job may
 * still be carried out, but nobody is told. Jobs copy what they are given. Answers arrive in the order of submission,
 * but a gathering page may be overtaken by any other write, and reports go their own way. */
#ifndef ONSALE_STORE_H
#define ONSALE_STORE_H

#include "clock.h"
#include "crypt_keys.h"
#include "definition.h"
#include "log.h"
#include "metrics.h"
#include "notice.h"
#include "opening.h"
#include "pace.h"

#include <jansson.h>
#include <uv.h>

struct store;
struct store_job;

struct store_spec {
    const char *url;          /* "sqlite:/var/lib/onsale/onsale.db" */
    const char *instance;     /* configured identity, or "" for the machine's */
    const char *witness_path; /* generation, kept in another directory; NULL: none */
    int64_t reserve_bytes;    /* room that is kept for the ledger; less on a small disk. 0: none */
    bool read_only;           /* for commands without a daemon: no lock, no generation, no writer */
    const struct clock *clock;
    uv_loop_t *loop; /* NULL with read_only: only the blocking calls */
    struct log *log;
};

/* Opens, migrates, takes the lock (a second daemon is refused by name of file and pid), raises the generation. A state
 * that looks like a copy opens too; every turn with claims fails until store_adopt(). After NULL, as after
 * store_close(), run the loop once more: a handle is being closed. */
struct store *store_open(const struct store_spec *spec, struct error *err);
void store_close(struct store *store);           /* waits for what was submitted; answers of it are not delivered */
size_t store_pending(const struct store *store); /* jobs that have not been answered yet */
int64_t store_generation(const struct store *store);
/* Why this state looks like a copy of another machine's (promise 9), or NULL. */
const char *store_copy_reason(const struct store *store);
/* Folder of the state, where key files and locks lie. */
const char *store_folder(const struct store *store);

/* Whether people are hashed here with keys of this mark (crypt_keys.h): with others nobody is recognised, who left is
 * written to and who was told is told again. The daemon's first start decides it for ever. */
bool store_has_keys(const struct store *store); /* it is decided */
int store_check_keys(const struct store *store, const char *mark, struct error *err);
int store_set_keys(struct store *store, const char *mark, struct error *err);

/* How it stands, from memory: nobody waits for a disk here. */
struct store_health {
    struct error failure; /* why the last write failed, while none succeeded since; else ERROR_NONE */
    struct error
        keeping; /* why the write-ahead log could not be folded or emptied; nothing is lost by it, but it grows */
    int64_t room_bytes; /* left on the disk of the state beyond its ballast, as of the last store_look(); -1 before */
    int64_t reserve_bytes; /* so much of it is wanted before a claim is made, twice as much before people are read */
    int64_t stuck_ms;      /* for how long a thread has something to do and shows no sign of life; 0: none does */
    int64_t writebacks, oldest_writeback_at_ms; /* unsubscribes that tools have not heard of, as of the last look; of
                                                   the first one, or MOMENT_NONE */
};
void store_health(struct store *store, struct store_health *out);
/* How long its transactions took, as METRIC_STORE_COMMIT counts. */
void store_commits(struct store *store, struct metric_histogram *out);
/* Measures the room, counts what waits to be written back, and while writes fail tries one, so that a repair is heard
 * of when nobody writes. Every few seconds, from the loop. */
void store_look(struct store *store);
/* `looked` hears of each look when it is over. */
void store_on_look(struct store *store, void (*looked)(void *ctx), void *ctx);

/* --- Start: read whole, blocking. ------------------------------------------------------------------------------- */

struct store_fact { /* first_walk of a site, first_load of a rule */
    char *name;
    int64_t at_ms;
};
struct store_pause {
    char *target; /* "" everything, "notice:17", "notifier:mail" */
    char *who;
    int64_t at_ms;
};
struct store_image {                 /* yours: take the sets, then store_image_clear() the rest */
    struct definitions *definitions; /* one set per site, */
    char **sites;                    /* ... with its name */
    size_t site_count;
    struct notices notices; /* all but final ones older than 30 days; with tallies */
    struct openings openings;
    struct store_fact *first_walks, *first_loads, *watermarks;
    size_t first_walk_count, first_load_count, watermark_count;
    struct store_pause *pauses;
    size_t pause_count;
};
int store_load(struct store *store, struct store_image *out, struct error *err);
void store_image_clear(struct store_image *image);

/* --- Plan: one transaction ---------------------------------------------------------------------------------------- */

struct store_change {
    const struct definition *const *put;
    size_t put_count;
    const char *removed_site; /* site of `removed` */
    const char *const *removed;
    size_t removed_count;
    const struct notice *const *notices; /* inserted or updated whole (tally apart) */
    size_t notice_count;
    const struct opening *const *openings;
    size_t opening_count;
    const char *site;                       /* whose walk this was; NULL: none */
    int64_t first_walk_at_ms, watermark_ms; /* of `site`; MOMENT_NONE: unchanged */
    const char *const *rules;               /* loaded now: first_load is set where it is not yet */
    size_t rule_count;
    int64_t now_ms;
    const struct store_pause *pause; /* set this one ... */
    const char *unpause;             /* ... or drop this target; "*" drops all */
};
typedef void store_done_fn(void *ctx, const struct error *failure); /* NULL: it is on disk */
struct store_job *store_apply(struct store *store, const struct store_change *change, store_done_fn *done, void *ctx);
void store_cancel(struct store_job **job); /* NULL inside is fine */

/* "resume --this-is-the-one": from the answer on the copy is no copy. Not to be cancelled. */
struct store_job *store_adopt(struct store *store, store_done_fn *done, void *ctx);

/* --- Gather ---------------------------------------------------------------------------------------------------------
 */

struct store_person {
    unsigned char key[PERSON_KEY_SIZE];
    enum consent consent;
    struct text source_id, address, name, locale, zone, attributes;
};
struct store_gather { /* one page of one audience */
    int64_t roll;
    int64_t pass;       /* number of this read, from 1 */
    unsigned audience;  /* its place in the rule's list, 0..30; STORE_SEED for our own eyes */
    const char *source; /* its name */
    const struct store_person *people;
    size_t count;
    const char *cursor; /* stored in the same transaction; "" at the end */
    int64_t now_ms;     /* words about people whom nobody had read are kept until then, not for ever */
};
/* Once somebody of the list was claimed nobody joins it any more, whatever page was still on its way. */
enum { STORE_SEED = 31 };
struct store_gathered {
    const struct error *failure;
    int64_t added, planned; /* new people of this page; people of the roll in all */
};
typedef void store_gather_fn(void *ctx, const struct store_gathered *result);
struct store_job *store_gather(struct store *store, const struct store_gather *page, store_gather_fn *done, void *ctx);
/* Where a read of a pass was left, per audience: for going on after a restart. Blocking; "" finished, NULL not begun.
 */
char *store_cursor(struct store *store, int64_t roll, int64_t pass, unsigned audience);

/* --- Ledger ---------------------------------------------------------------------------------------------------------
 */

/* Opens a notice's ledger on a channel, while nothing of it is in anybody's hands: claims without a fate, of an earlier
 * start or of the flow before a reload, become in doubt (or try later, for an attempt below `repeat_below`), returned
 * and postponed ones are listed. */
enum { STORE_AGAIN_PAGE = 32768 }; /* listed at a time */
struct store_again {
    uint32_t seq;
    int attempt; /* the next one, from 2; a returned one keeps its number */
    int64_t at_ms;
};
struct store_launch {
    const struct error *failure;
    struct tally tally;
    uint32_t claimed_to; /* first attempts were claimed up to this seq */
    uint32_t last_seq;
    const struct store_again *again; /* the first to be tried again */
    size_t again_count;
    bool again_more; /* there are others, from this one on */
    struct store_again again_next;
    int64_t doubts; /* how many were found in doubt now */
};
typedef void store_launch_fn(void *ctx, const struct store_launch *launch);
struct store_job *store_launch(struct store *store, int64_t notice, const char *channel, int repeat_below,
                               store_launch_fn *done, void *ctx);

struct store_fate {
    int64_t notice;
    uint32_t seq;
    int attempt;
    enum fate fate;
    enum withheld withheld;
    int code;              /* SMTP reply, HTTP status; 0 none */
    const char *text;      /* what the other side said, without addresses; NULL none. Stored once per distinct text */
    int64_t at_ms;         /* hand-over, or when we knew */
    int64_t next_at_ms;    /* try later: not before */
    const char *passed_to; /* passed on: the channel that takes it, with attempt 1 */
};
struct store_claim {
    int64_t notice;
    size_t want;                    /* people at most */
    const struct store_again *list; /* these, or NULL: first attempts, the lowest unclaimed seq first */
    size_t list_count;
    int64_t pass; /* consent: whoever this complete read did not see is withheld */
};
/* Fates are appended, then new claims are made, in one transaction. Claims are judged here: people who are suppressed,
 * left or opted out get a withheld fate instead of a place in the answer. First attempts go by the ledger's own
 * claimed_to, so nobody is claimed for one twice; a list takes only those who wait for another attempt. A claim that
 * cannot be made (before the notice is due; a row of it that makes no sense) is left out with why, the others are made;
 * a notice that is cancelled, missed, withdrawn or has a `rest` gives nobody. A fate must answer a claim of its channel
 * with that attempt, or withhold somebody who waits for another one: any other changes nothing. At most 2,000 people
 * are looked at per claim, so an answer may be short of `want`. */
struct store_turn {
    const char *channel;
    const struct store_fate *fates;
    size_t fate_count;
    const struct store_claim *claims;
    size_t claim_count;
    int64_t now_ms;
};
struct store_delivery {
    int64_t notice;
    uint32_t seq;
    int attempt;
    unsigned char key[PERSON_KEY_SIZE];
    bool seed; /* our own eyes */
    struct text source, source_id, address, name, locale, zone, attributes;
};
struct store_turned {
    const struct error *failure;             /* nothing of the turn happened */
    const struct store_delivery *deliveries; /* claimed; gone after the callback, unless */
    size_t delivery_count;
    struct arena *arena; /* ... you move what is in here to an arena of yours, where they lie with their texts */
    const struct store_claimed {     /* of each claim, in their order */
        size_t count;                /* people handed out */
        bool exhausted;              /* no first attempts are left */
        const struct error *failure; /* nothing of this claim happened; NULL: fine */
    } * claims;
    struct store_progress {
        int64_t notice;
        struct tally tally;
        uint32_t claimed_to; /* first attempts, over all channels */
        bool exhausted;      /* no first attempts are left */
    } * progress;            /* one for each notice that the turn touched */
    size_t progress_count;
    int64_t withheld[WITHHELD_REASONS]; /* whom the claims passed over, by why */
};
typedef void store_turn_fn(void *ctx, const struct store_turned *result);
struct store_job *store_turn(struct store *store, const struct store_turn *turn, store_turn_fn *done, void *ctx);

/* What a receiver asked a channel to wait; of each channel the last one is kept. */
struct store_wait {
    const char *channel;
    int64_t until_ms; /* MOMENT_NONE: it is over */
    unsigned rests;   /* how often in a row */
    const char *text; /* what was said, without addresses */
    int64_t at_ms;
};
struct store_job *store_keep_wait(struct store *store, const struct store_wait *wait, store_done_fn *done, void *ctx);
/* How long one message of a channel takes to be answered; of each channel the last one is kept. */
struct store_speed {
    const char *channel;
    int64_t answer_us, at_ms;
};
struct store_job *store_keep_speed(struct store *store, const struct store_speed *speed, store_done_fn *done,
                                   void *ctx);
/* What a channel's next life has to know: its claims since then, the oldest first, and the wait that is kept (until_ms
 * MOMENT_NONE: none). Blocking; before anything is claimed on it. Yours to clear. */
struct store_recalled {
    struct pace_claim *claims;
    size_t claim_count;
    struct store_wait wait;
    int64_t answer_us; /* 0: nobody knows */
};
int store_recall(struct store *store, const char *channel, int64_t since_ms, struct store_recalled *out,
                 struct error *err);
void store_recalled_clear(struct store_recalled *recalled);

/* Evidence of the gate, one JSON text per question asked. */
struct store_job *store_evidence(struct store *store, int64_t notice, int64_t at_ms, const char *json,
                                 store_done_fn *done, void *ctx);

/* Marks people for another try: refused with a code, in doubt, or withheld for a reason. `moved` people wait again.
 * When it is the reason for which everybody left was withheld (notice.rest), that is lifted. Slice by slice, so that
 * claims go on beside it: `count` of them are moved also when a later slice fails; it may be asked for again. */
struct store_retry {
    int64_t notice;
    enum fate fate;         /* FATE_REFUSED, FATE_IN_DOUBT, FATE_WITHHELD */
    int code;               /* refused: this code, 0 any */
    enum withheld withheld; /* withheld: this reason */
    const char *channel;
    int64_t now_ms;
};
typedef void store_count_fn(void *ctx, int64_t count, const struct error *failure);
struct store_job *store_retry(struct store *store, const struct store_retry *what, store_count_fn *done, void *ctx);

/* --- Consent of our own ------------------------------------------------------------------------------------------- */

/* Tells a marketing tool of an unsubscribe: the audience, and a sealed ticket that says who (crypt_token.h). */
struct store_writeback {
    const char *audience, *token;
};
struct store_suppression {
    unsigned char key[PERSON_KEY_SIZE];
    const char *scope;  /* "" all, or an audience's name */
    const char *reason; /* "operator", "unsubscribe", "bounce", "complaint", "erased" */
    int64_t at_ms;
    bool lift;      /* take it back, and what has not been written back for it yet */
    bool overwrite; /* an operator's word; else an older one of that scope keeps its date and reason */
    const struct store_writeback *writebacks; /* stored with it, when it is new */
    size_t writeback_count;
};
/* All of them or none, in one transaction. `count`: how many were new, or were there to be lifted. */
struct store_job *store_suppress(struct store *store, const struct store_suppression *list, size_t count,
                                 store_count_fn *done, void *ctx);

/* What is to be written back to one audience's tool, the longest due first. */
struct store_writeback_row {
    int64_t id;
    const char *token;
    int64_t at_ms; /* of the unsubscribe */
    int attempts;  /* so far */
};
struct store_writebacks {
    const struct error *failure;
    const struct store_writeback_row *rows; /* gone after the callback */
    size_t count;
    int64_t next_at_ms; /* of the first that is not due yet, or MOMENT_NONE */
};
typedef void store_writebacks_fn(void *ctx, const struct store_writebacks *result);
struct store_job *store_writebacks_due(struct store *store, const char *audience, int64_t now_ms, int64_t limit,
                                       store_writebacks_fn *done, void *ctx);
/* All that wait are due now. */
void store_writebacks_hurry(struct store *store, int64_t now_ms);
struct store_job *store_writeback_done(struct store *store, int64_t id, store_done_fn *done, void *ctx);
struct store_job *store_writeback_again(struct store *store, int64_t id, int64_t next_at_ms, int attempts,
                                        store_done_fn *done, void *ctx);

/* --- What other programs are told (webhook.h) -----------------------------------------------------------------------
 * A row for each endpoint that wants it is written in the transaction that changes a notice. Openings are told of when
 * their event has been quiet. Of one endpoint at most 10,000 rows and 16 MB wait: the oldest are dropped. */

struct store_webhook {
    const char *name, *place; /* `place`: where it goes, as people may read it */
    unsigned types;           /* one bit each */
    const char *sites;        /* names with a blank around each, " arena club "; "" all */
};
/* These and no others: what waits for one that is not among them is dropped. `count`: how much that was. */
struct store_job *store_webhooks_set(struct store *store, const struct store_webhook *list, size_t count,
                                     store_count_fn *done, void *ctx);
/* `told` hears when there is, or will be, something to tell, and it is on disk. */
void store_on_told(struct store *store, void (*told)(void *ctx), void *ctx);

enum store_webhook_fate {
    STORE_WEBHOOK_NONE,     /* nothing was tried */
    STORE_WEBHOOK_ACCEPTED, /* it is done with */
    STORE_WEBHOOK_GIVEN_UP, /* likewise, and nobody took it */
    STORE_WEBHOOK_AGAIN,    /* the line waits behind it */
    STORE_WEBHOOK_REFUSED,  /* the others go on past it */
};
struct store_webhook_turn {
    const char *name;
    int64_t now_ms;
    bool early; /* the first of the line is wanted also when it is not due */
    enum store_webhook_fate fate;
    int64_t no;            /* of what was tried; 0 none */
    int tries;             /* of it, by now */
    int64_t next_at_ms;    /* ... and when again */
    int status;            /* HTTP; 0: no answer */
    const char *said;      /* why not; NULL: nothing */
    int64_t not_before_ms; /* the endpoint asked for that; 0: for nothing */
    const char *disable;   /* nothing leaves until somebody enables it again, for this reason; NULL */
};
struct store_webhook_turned {
    const struct error *failure;
    bool disabled;
    int64_t no; /* to be told next; 0: nothing now. Gone after the callback */
    const char *id, *body;
    int type, tries;
    int64_t at_ms;            /* of the event */
    bool is_early;            /* it is not due: a failure now counts for nothing */
    int64_t due_at_ms;        /* ... but then */
    int64_t next_at_ms;       /* `no` 0: when to ask again, or MOMENT_NONE */
    int64_t waiting, dropped; /* now; ever */
    int64_t accepted_at_ms;   /* the last one, or MOMENT_NONE */
};
typedef void store_webhook_fn(void *ctx, const struct store_webhook_turned *result);
/* What became of one, and which is next. */
struct store_job *store_webhook_turn(struct store *store, const struct store_webhook_turn *turn, store_webhook_fn *done,
                                     void *ctx);
/* It may go on, and what waits is due. `count` 0: there is no such endpoint. */
struct store_job *store_webhook_enable(struct store *store, const char *name, store_count_fn *done, void *ctx);
/* Rows for the openings of events that have been quiet for that long; a part of them when there are many. */
struct store_webhook_openings {
    const struct error *failure;
    int64_t next_at_ms; /* ask again then, or MOMENT_NONE: when something changes */
};
typedef void store_webhook_openings_fn(void *ctx, const struct store_webhook_openings *result);
struct store_job *store_webhook_openings(struct store *store, int64_t now_ms, int64_t quiet_ms,
                                         store_webhook_openings_fn *done, void *ctx);

/* --- Privacy --------------------------------------------------------------------------------------------------------
 */

/* Forgets somebody: who they are, in every notice; whoever of them was open there is withheld at once, and counted.
 * What stays is the key, with what became of it, and a suppression "erased", so that no reading brings them back. */
struct store_erased {
    const struct error *failure;
    bool known;                             /* something of them was here */
    bool is_new;                            /* they were not erased before */
    int64_t notices;                        /* ... list them */
    int64_t withheld;                       /* ... they were open in these many */
    int64_t in_flight;                      /* in somebody's hands: those claims keep their fates */
    int64_t people_rows, words, writebacks; /* deleted */
    const struct store_progress *progress;  /* of the notices where they were open; gone after the callback */
    size_t progress_count;
};
typedef void store_erased_fn(void *ctx, const struct store_erased *result);
struct store_job *store_erase(struct store *store, const unsigned char *key, int64_t at_ms, store_erased_fn *done,
                              void *ctx);

/* --- What came back after it was accepted ------------------------------------------------------------------------- */

struct store_feedback {
    int64_t notice;                     /* whom: a person of a notice; or 0 and ... */
    int64_t seq;                        /* ... */
    unsigned char key[PERSON_KEY_SIZE]; /* ... a key: then it is about the last notice that was accepted for them */
    enum feedback kind;
    const char *status, *text; /* "5.1.1"; what was said, without addresses; "" or NULL none */
    int64_t at_ms;
};
struct store_fed_back { /* of each, in their order */
    enum feedback kind;
    int64_t notice, seq;     /* 0: it is about no notice of ours */
    bool known;              /* somebody was found, or a key was given */
    bool stored, suppressed; /* now, for the first time */
    int64_t policy;          /* how many of that notice came back for policy by now */
    int64_t accepted;        /* of that notice */
};
typedef void store_feedback_fn(void *ctx, const struct store_fed_back *results, size_t count,
                               const struct error *failure);
/* Each is stored once per person of a notice and kind. A hard bounce and a complaint suppress everywhere, in the same
 * transaction; an older suppression keeps its date and reason. All of them or none. */
struct store_job *store_feedback(struct store *store, const struct store_feedback *list, size_t count,
                                 store_feedback_fn *done, void *ctx);

/* --- Hooks: what others tell us is known by its id, and by its place in the order of what it is about ---------------
 */

struct store_hook {
    const char *from;                         /* whose ids these are: "wix arena" */
    const char *id;                           /* "": it is known by nothing */
    const char *entity;                       /* what `sequence` counts; "" nothing */
    uint64_t sequence;                        /* 0: not said */
    int64_t at_ms;                            /* now: ids are known for seven days */
    const struct store_suppression *suppress; /* what it does when it is new, in the same transaction; NULL none */
    const struct store_feedback *feedback;    /* ... likewise */
    const char *source_id; /* whom these are about, as `audience` calls them ("": any one); NULL: it stands in them */
    const char *audience;
    const char *kept_as; /* ... and whose word it is that is kept of who was not read yet; NULL: nobody knows */
};
enum store_hook_news {
    HOOK_NEW,
    HOOK_REPEATED, /* that id came before: nothing is done */
    HOOK_OLD,      /* something later was said of that entity: nothing is done */
};
struct store_hooked {
    const struct error *failure;
    enum store_hook_news news;
    bool unknown, kept;             /* nobody who was read is called so; it counts when they are, within two days */
    int64_t suppressed;             /* 1: they were not before */
    struct store_fed_back fed_back; /* of `feedback` */
};
typedef void store_hook_fn(void *ctx, const struct store_hooked *result);
/* ERROR_REFUSED, and it is as if it had not come: it cannot be said whom it is about. */
struct store_job *store_hook(struct store *store, const struct store_hook *hook, store_hook_fn *done, void *ctx);

/* Retention, a slice at a time, after everything else that waits to be written: a slice takes some 5 ms. Of notices
 * that ended, and whose moment was, before `people_before_ms` everybody's person goes; before `reports_before_ms` all
 * that is known of the notice goes, and what nobody names any more. A notice whose moment a definition still has is
 * kept, bare: planning has to know it. Suppressions stay. */
struct store_forget_place { /* zero at the beginning; the store's business from then on */
    int stage;
    int64_t after;
    bool people_gone, reports_gone;
};
struct store_forget {
    int64_t people_before_ms, reports_before_ms;
    struct store_forget_place place;
};
struct store_forgotten {
    const struct error *failure;
    int64_t people, rows; /* addresses; rows of reports */
    bool more;            /* ask again, with this place */
    struct store_forget_place place;
};
typedef void store_forgotten_fn(void *ctx, const struct store_forgotten *result);
struct store_job *store_forget(struct store *store, const struct store_forget *what, store_forgotten_fn *done,
                               void *ctx);

/* --- Private feeds: read by who has the link ------------------------------------------------------------------------
 */

struct store_private_feed {
    int64_t id;
    const char *name;
    const char *site, *event_id;         /* "": all events of the site */
    unsigned char hash[PERSON_KEY_SIZE]; /* of its token */
    int64_t created_at_ms;
    int64_t rotated_at_ms, revoked_at_ms, last_fetch_at_ms; /* MOMENT_NONE: never */
    const char *last_client;                                /* what last fetched it calls itself; "" nothing */
    int64_t fetches;
};
struct store_private_feeds { /* yours: store_private_feeds_clear() */
    struct store_private_feed *feeds;
    size_t count;
    unsigned char (*gone)[PERSON_KEY_SIZE]; /* hashes of tokens that were replaced */
    size_t gone_count;
    struct arena arena;
};
/* All of them, blocking. */
int store_private_feeds(struct store *store, struct store_private_feeds *out, struct error *err);
void store_private_feeds_clear(struct store_private_feeds *feeds);
/* New, or with what is new about it. `gone`: the hash of a token that it had until now; NULL none. */
struct store_job *store_keep_private_feed(struct store *store, const struct store_private_feed *feed,
                                          const unsigned char *gone, int64_t now_ms, store_done_fn *done, void *ctx);
/* Who fetched them last, and how often that was; of each its id and these three. */
struct store_job *store_private_fetches(struct store *store, const struct store_private_feed *const *feeds,
                                        size_t count, store_done_fn *done, void *ctx);
/* As listings show one. */
json_t *store_private_feed_json(const struct store_private_feed *feed);

/* --- Calendars: how openings stand in the feeds
 * ---------------------------------------------------------------------- */

struct store_entry {
    int64_t opening;
    const char *site, *event_id; /* of the opening; read, not written */
    const char *uid;
    int64_t sequence, created_at_ms, modified_at_ms;
    int64_t opens_at_ms, moved_from_ms; /* as it is shown; where it stood before, or MOMENT_NONE */
    bool withdrawn;
    int64_t leaves_at_ms;                   /* MOMENT_NONE: it has */
    const char *title, *url, *place, *zone; /* of its event, for when no ticket tells any more */
    struct text text;                       /* empty: it is shown no more */
};
struct store_calendar_change {   /* when a calendar last changed, also by what left it */
    const char *site, *event_id; /* "": the whole site's */
    int64_t at_ms;
};
struct store_said { /* a mail may have said this of an opening that calendars have only seen with a lower one */
    int64_t opening, sequence;
};
struct store_calendars {
    const struct store_entry *entries;
    size_t entry_count;
    const struct store_calendar_change *changes;
    size_t change_count;
    const char *const *published; /* sites whose calendar was there as a whole, once: no longer a part of the first */
    size_t published_count;
    const struct store_said *said; /* ends with an entry that has as high a sequence */
    size_t said_count;
};
/* One transaction. Fails as a whole while an opening of it is not stored yet. */
struct store_job *store_publish(struct store *store, const struct store_calendars *what, store_done_fn *done,
                                void *ctx);
/* All of them, or of one site; blocking. They lie in `arena`, which is yours. */
int store_calendars(struct store *store, const char *site, struct arena *arena, struct store_calendars *out,
                    struct error *err);

/* --- Reports: JSON as in design.md section 6, made on the reader thread ------------------------------------------- */

enum store_report_kind {
    REPORT_NOTICES,
    REPORT_SHOW,
    REPORT_PEOPLE,
    REPORT_WHY,
    REPORT_EXPORT, /* all that is held about one person */
    REPORT_OPENINGS,
    REPORT_SUPPRESSIONS,
    REPORT_AUDIT,
    REPORT_SOURCE_IDS, /* {id: key in hex} of those among the stored people that their audiences call so; null: two
                          audiences call different people so */
    REPORT_WEBHOOKS,   /* endpoints and how they stand */
    REPORT_TONGUES, /* [[locale, zone]]: what the people of a notice read, the most frequent first; of the first ones */
    REPORT_PRIVATE_FEEDS,
    REPORT_PERSON, /* who it is that a message would be made for; null: not among the people, or forgotten by now */
    REPORT_NEXT    /* the same of whoever is the first to be claimed, if nothing hinders it */
};
struct store_report {
    enum store_report_kind kind;
    int64_t notice;                     /* show, people, tongues, person, next */
    const char *state;                  /* people: waiting, claimed, accepted, refused, in_doubt, withheld, or NULL */
    unsigned char key[PERSON_KEY_SIZE]; /* why, person */
    const char *address;                /* why, export: echoed; NULL: only the key is known */
    const char *event_id;               /* why, or NULL */
    int64_t after;                      /* people: seq to go on behind; notices, openings, private feeds: id */
    int64_t limit;                      /* of a listing, and of tongues: rows at most; 0: all */
    const char *source_ids;             /* source ids: a JSON array of texts */
    const char *audience;               /* source ids: as this one has them; NULL, "": any */
    const char *behind; /* suppressions: go on behind this row, "AT KEY SCOPE" as the row says them; NULL: the newest */
};
typedef void store_report_fn(void *ctx, json_t *answer, const struct error *failure); /* answer is borrowed */
struct store_job *store_report(struct store *store, const struct store_report *what, store_report_fn *done, void *ctx);
/* The same, blocking, for commands without a daemon. NULL and `err` on failure. */
json_t *store_report_now(struct store *store, const struct store_report *what, struct error *err);

/* --- Backup: the state of one moment, while everything goes on ------------------------------------------------------
 */

struct store_copy { /* what was copied */
    int64_t bytes, notices, people, schema;
};
struct store_backup {
    const struct error *failure;
    struct store_copy copy;
    int fd; /* the whole database in one file without a name, at its beginning: yours in the callback, which may take it
               and put -1 here */
};
typedef void store_backup_fn(void *ctx, struct store_backup *result);
/* On a thread of its own, in small steps; the file lies in store_folder() while it is open. Ends with a failure when
 * the store closes, when room runs short, or when the copy does not pass its check. */
struct store_job *store_backup(struct store *store, store_backup_fn *done, void *ctx);
/* For commands, blocking: copies a database into a new file, 0600 and on disk for good. A file that is there already is
 * an error. */
int store_backup_to(const char *url, const char *path, struct store_copy *out, struct error *err);
/* Is the file a whole state of ours? Reads all of it. */
int store_backup_check(const char *path, struct store_copy *out, struct error *err);

#endif
