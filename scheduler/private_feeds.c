#include "private_feeds.h"

#include "scrub.h"

#include <string.h>

enum {
    TOKEN_BYTES = 18,
    WRITE_EVERY_MS = MINUTE_MS,
    WRITE_SOON_MS = SECOND_MS, /* until the rest is written, when there is more than ... */
    WRITE_MAX = 1000,          /* feeds in one job */
};

struct private_feed {
    struct store_private_feed told; /* what others see; its texts are ours */
    uint64_t client_mark;           /* of what the last client calls itself, as it came */
    struct private_feed_change *change;
    bool dirty; /* fetched since it was written */
};

/* A token that is known: of a feed, or of none any more. */
struct token {
    unsigned char hash[PERSON_KEY_SIZE];
    struct private_feed *feed;
};

struct private_feed_change {
    struct private_feeds *feeds;
    struct private_feed *feed;
    struct store_private_feed next; /* what it becomes when that is on disk; its texts are ours */
    bool new_token;
    char token[PRIVATE_FEED_TOKEN_SIZE];
    struct store_job *job;
    private_feed_done_fn *done; /* NULL: nobody asks any more */
    void *ctx;
};

struct private_feeds {
    struct world *world;
    struct private_feed **at; /* by id */
    size_t count, room;
    struct index names, tokens;
    size_t dirty;
    struct private_feed **writing; /* what the job writes */
    size_t writing_count;
    struct store_job *job;
    struct alarm alarm;
};

static void on_write_time(void *ctx);
static void request_write(struct private_feeds *feeds);
static void on_written(void *ctx, const struct error *failure);

/* --- Finding ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of_name(const void *item)
{
    return index_hash(INDEX_HASH, ((const struct private_feed *)item)->told.name);
}

static bool same_name(const void *a, const void *b)
{
    return strcmp(((const struct private_feed *)a)->told.name, ((const struct private_feed *)b)->told.name) == 0;
}

static const struct index_kind by_name = {hash_of_name, same_name};

static uint64_t hash_of_token(const void *item)
{
    uint64_t hash;

    memcpy(&hash, ((const struct token *)item)->hash, sizeof hash);
    return hash;
}

/* Of hashes: how long this takes tells nothing of a token. */
static bool same_token(const void *a, const void *b)
{
    return memcmp(((const struct token *)a)->hash, ((const struct token *)b)->hash, PERSON_KEY_SIZE) == 0;
}

static const struct index_kind by_token = {hash_of_token, same_token};

static struct private_feed *find_name(const struct private_feeds *feeds, const char *name)
{
    return index_find(&feeds->names, &by_name, &(struct private_feed){.told.name = name});
}

/* A random token needs no salt and no slow hash: nobody can try them all. The key tells what is hashed. */
static void hash_token(struct text token, unsigned char out[PERSON_KEY_SIZE])
{
    static const unsigned char key[CRYPT_KEY_SIZE] = "onsale private feed";
    unsigned char whole[32];

    crypt_hmac(key, token, whole);
    memcpy(out, whole, PERSON_KEY_SIZE);
}

enum private_feed_answer private_feeds_find(struct private_feeds *feeds, struct text token,
                                            const struct store_private_feed **out)
{
    struct token like;

    if (token.len != PRIVATE_FEED_TOKEN_SIZE - 1)
        return PRIVATE_FEED_UNKNOWN;
    hash_token(token, like.hash);
    const struct token *known = index_find(&feeds->tokens, &by_token, &like);
    if (!known)
        return PRIVATE_FEED_UNKNOWN;
    if (!known->feed || known->feed->told.revoked_at_ms != MOMENT_NONE)
        return PRIVATE_FEED_GONE;
    *out = &known->feed->told;
    return PRIVATE_FEED_FOUND;
}

const struct store_private_feed *private_feeds_named(const struct private_feeds *feeds, const char *name)
{
    const struct private_feed *feed = find_name(feeds, name);

    return feed && feed->told.id ? &feed->told : NULL;
}

size_t private_feeds_list(const struct private_feeds *feeds, int64_t after, size_t limit,
                          const struct store_private_feed **out)
{
    size_t count = 0;

    for (size_t i = 0; i < feeds->count && count < limit; i++)
        if (feeds->at[i]->told.id > after)
            out[count++] = &feeds->at[i]->told;
    return count;
}

/* --- Keeping ------------------------------------------------------------------------------------------------------ */

/* `is`: the feed that the token is of from now on; NULL: of none. */
static void know_token(struct private_feeds *feeds, const unsigned char *hash, struct private_feed *feed)
{
    struct token *token = must_calloc(1, sizeof *token);

    memcpy(token->hash, hash, sizeof token->hash);
    token->feed = feed;
    free(index_put(&feeds->tokens, &by_token, token));
}

static void own_texts(struct store_private_feed *feed)
{
    feed->name = must_strdup(feed->name);
    feed->site = must_strdup(feed->site);
    feed->event_id = must_strdup(feed->event_id);
    feed->last_client = must_strdup(feed->last_client);
}

static void free_texts(struct store_private_feed *feed)
{
    free((char *)(uintptr_t)feed->name);
    free((char *)(uintptr_t)feed->site);
    free((char *)(uintptr_t)feed->event_id);
    free((char *)(uintptr_t)feed->last_client);
}

static struct private_feed *add_feed(struct private_feeds *feeds, const struct store_private_feed *told)
{
    struct private_feed *feed = must_calloc(1, sizeof *feed);

    feed->told = *told;
    own_texts(&feed->told);
    index_put(&feeds->names, &by_name, feed);
    return feed;
}

/* From now on it is listed. */
static void list_feed(struct private_feeds *feeds, struct private_feed *feed)
{
    if (feeds->count == feeds->room) {
        feeds->room = feeds->room ? 2 * feeds->room : 16;
        feeds->at = must_realloc(feeds->at, feeds->room * sizeof(struct private_feed *));
    }
    feeds->at[feeds->count++] = feed;
}

static void feed_free(struct private_feed *feed)
{
    free_texts(&feed->told);
    free(feed);
}

/* --- Who fetched ---------------------------------------------------------------------------------------------------
 */

/* What it calls itself may hold an address, as fetchers give one to complain to; and half a letter behind the cut. */
static char *shown_client(const char *client)
{
    struct text t = text_slice(text_of(client), 0, PRIVATE_FEED_CLIENT_MAX);

    for (int i = 0; i < 3 && t.len > 0 && !text_is_utf8(t); i++)
        t.len--;
    auto_free char *cut = text_dup(text_is_utf8(t) ? t : TEXT(""));
    return scrub(cut, NULL);
}

void private_feeds_fetched(struct private_feeds *feeds, const struct store_private_feed *told, const char *client)
{
    struct private_feed *feed = (struct private_feed *)(uintptr_t)told; /* its first member */
    uint64_t mark = index_hash(INDEX_HASH, client ? client : "");
    int64_t now_ms = clock_now_ms(feeds->world->clock);

    feed->told.last_fetch_at_ms = now_ms;
    feed->told.fetches++;
    if (mark != feed->client_mark) {
        feed->client_mark = mark;
        free((char *)(uintptr_t)feed->told.last_client);
        feed->told.last_client = shown_client(client ? client : "");
    }
    feeds->dirty += !feed->dirty;
    feed->dirty = true;
    if (!feeds->job && !alarm_is_set(&feeds->alarm))
        alarm_set(feeds->world->alarms, &feeds->alarm, now_ms + WRITE_EVERY_MS, on_write_time, feeds);
}

static void on_write_time(void *ctx)
{
    request_write(ctx);
}

static void request_write(struct private_feeds *feeds)
{
    const struct store_private_feed **list = must_calloc(WRITE_MAX, sizeof(struct store_private_feed *));

    feeds->writing_count = 0;
    for (size_t i = 0; i < feeds->count && feeds->writing_count < WRITE_MAX; i++) {
        struct private_feed *feed = feeds->at[i];
        if (!feed->dirty)
            continue;
        feed->dirty = false;
        feeds->dirty--;
        list[feeds->writing_count] = &feed->told;
        feeds->writing[feeds->writing_count++] = feed;
    }
    feeds->job = store_private_fetches(feeds->world->store, list, feeds->writing_count, on_written, feeds);
    free(list);
}

static void on_written(void *ctx, const struct error *failure)
{
    struct private_feeds *feeds = ctx;

    feeds->job = NULL;
    for (size_t i = 0; failure && i < feeds->writing_count; i++) {
        feeds->dirty += !feeds->writing[i]->dirty;
        feeds->writing[i]->dirty = true;
    }
    if (feeds->dirty > 0)
        alarm_set(feeds->world->alarms, &feeds->alarm,
                  clock_now_ms(feeds->world->clock) +
                      (feeds->writing_count == WRITE_MAX && !failure ? WRITE_SOON_MS : WRITE_EVERY_MS),
                  on_write_time, feeds);
}

/* --- Changes -------------------------------------------------------------------------------------------------------
 */

int private_feed_check_name(struct text name, struct error *err)
{
    if (name.len == 0 || name.len > PRIVATE_FEED_NAME_MAX || !text_is_utf8(name))
        return error_set(err, ERROR_REFUSED, "name: expected 1 to %d bytes of UTF-8", PRIVATE_FEED_NAME_MAX);
    auto_buf struct buf shown = {0};
    buf_init(&shown, 1024);
    buf_add_visible(&shown, name);
    if (!text_equal(buf_text(&shown), name) || text_trim(name).len != name.len || name.ptr[0] == '-')
        return error_set(err, ERROR_REFUSED,
                         "name: expected no control characters, no blank at its ends and no dash "
                         "at its beginning");
    if (memchr(name.ptr, '@', name.len))
        return error_set(err, ERROR_REFUSED, "name: expected no address: it is shown in lists and kept");
    return 0;
}

/* base64url (RFC 4648 section 5); three bytes give four characters, so nothing is padded. */
static int make_token(char out[PRIVATE_FEED_TOKEN_SIZE], struct error *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[TOKEN_BYTES];

    if (crypt_random(bytes, sizeof bytes, err) < 0)
        return -1;
    for (size_t i = 0; i < TOKEN_BYTES; i += 3) {
        unsigned three = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        for (int k = 0; k < 4; k++)
            *out++ = letters[three >> (18 - 6 * k) & 63];
    }
    *out = '\0';
    return 0;
}

static void change_free(struct private_feed_change *change)
{
    change->feed->change = NULL;
    free_texts(&change->next);
    memset(change->token, 0, sizeof change->token);
    free(change);
}

/* Nothing came of a new one: nobody has seen it. */
static void take_back(struct private_feeds *feeds, struct private_feed *feed)
{
    if (feed->told.id)
        return;
    index_remove(&feeds->names, &by_name, feed);
    feed_free(feed);
}

/* What a client did meanwhile stays with the feed; a new token begins anew. */
static void take_over(struct private_feeds *feeds, struct private_feed_change *change)
{
    struct private_feed *feed = change->feed;
    struct store_private_feed *told = &feed->told, *next = &change->next;
    bool is_new = told->id == 0;

    if (!is_new && change->new_token)
        know_token(feeds, told->hash, NULL);
    if (!change->new_token) {
        next->last_fetch_at_ms = told->last_fetch_at_ms;
        next->fetches = told->fetches;
        const char *client = next->last_client;
        next->last_client = told->last_client;
        told->last_client = client;
    }
    struct store_private_feed before = *told;
    const char *name = before.name; /* which the index looks at: it stays */
    before.name = next->name;
    *told = *next;
    told->name = name;
    *next = before;
    if (is_new)
        list_feed(feeds, feed);
    if (change->new_token) {
        feed->client_mark = 0;
        know_token(feeds, told->hash, feed);
    }
}

static void on_stored(void *ctx, const struct error *failure)
{
    struct private_feed_change *change = ctx;
    struct private_feed_change mine = *change;

    if (!failure)
        take_over(mine.feeds, change);
    change_free(change);
    if (failure)
        take_back(mine.feeds, mine.feed);
    if (mine.done)
        mine.done(mine.ctx, !failure && mine.new_token ? mine.token : NULL, failure);
    memset(mine.token, 0, sizeof mine.token);
}

/* `next` with its texts still others'; what it shall become is stored first. */
static struct private_feed_change *request_change(struct private_feeds *feeds, struct private_feed *feed,
                                                  struct store_private_feed next, bool new_token,
                                                  private_feed_done_fn *done, void *ctx, struct error *err)
{
    struct private_feed_change *change = must_calloc(1, sizeof *change);

    *change = (struct private_feed_change){
        .feeds = feeds, .feed = feed, .next = next, .new_token = new_token, .done = done, .ctx = ctx};
    own_texts(&change->next);
    feed->change = change;
    if (new_token && make_token(change->token, err) < 0) {
        change_free(change);
        take_back(feeds, feed);
        return NULL;
    }
    if (new_token)
        hash_token(text_of(change->token), change->next.hash);
    change->job =
        store_keep_private_feed(feeds->world->store, &change->next, new_token && feed->told.id ? feed->told.hash : NULL,
                                clock_now_ms(feeds->world->clock), on_stored, change);
    return change;
}

static int64_t next_id(const struct private_feeds *feeds)
{
    int64_t id = feeds->count ? feeds->at[feeds->count - 1]->told.id + 1 : 1;

    for (size_t i = 0; i < feeds->names.size; i++) { /* those that are being stored, too */
        const struct private_feed *feed = feeds->names.at[i];
        if (feed && !feed->told.id && feed->change && feed->change->next.id >= id)
            id = feed->change->next.id + 1;
    }
    return id;
}

struct private_feed_change *private_feeds_add(struct private_feeds *feeds, const char *name, const char *site,
                                              const char *event_id, private_feed_done_fn *done, void *ctx,
                                              struct error *err)
{
    struct private_feed *feed = find_name(feeds, name);
    struct store_private_feed next = {.name = name,
                                      .site = site,
                                      .event_id = event_id,
                                      .created_at_ms = clock_now_ms(feeds->world->clock),
                                      .rotated_at_ms = MOMENT_NONE,
                                      .revoked_at_ms = MOMENT_NONE,
                                      .last_fetch_at_ms = MOMENT_NONE,
                                      .last_client = ""};

    if (private_feed_check_name(text_of(name), err) < 0)
        return NULL;
    if (feed && (feed->change || feed->told.revoked_at_ms == MOMENT_NONE)) {
        error_set(err, ERROR_REFUSED, "there is a feed of that name already");
        return NULL;
    }
    if (!feed && feeds->names.count >= PRIVATE_FEEDS_MAX) {
        error_set(err, ERROR_REFUSED, "there are %d private feeds, more may not be", PRIVATE_FEEDS_MAX);
        return NULL;
    }
    next.id = feed ? feed->told.id : next_id(feeds);
    if (!feed) { /* its name is taken from now on; it has no id and no token until it is on disk */
        struct store_private_feed nobody = next;
        nobody.id = 0;
        feed = add_feed(feeds, &nobody);
    }
    return request_change(feeds, feed, next, true, done, ctx, err);
}

/* One that lives and is not being changed, or NULL. */
static struct private_feed *find_living(const struct private_feeds *feeds, const char *name, struct error *err)
{
    struct private_feed *feed = find_name(feeds, name);

    if (!feed || !feed->told.id)
        error_set(err, ERROR_REFUSED, "there is no private feed of that name");
    else if (feed->told.revoked_at_ms != MOMENT_NONE)
        error_set(err, ERROR_REFUSED, "that feed was revoked: add it anew");
    else if (feed->change)
        error_set(err, ERROR_REFUSED, "that feed is being changed");
    else
        return feed;
    return NULL;
}

struct private_feed_change *private_feeds_rotate(struct private_feeds *feeds, const char *name,
                                                 private_feed_done_fn *done, void *ctx, struct error *err)
{
    struct private_feed *feed = find_living(feeds, name, err);

    if (!feed)
        return NULL;
    struct store_private_feed next = feed->told;
    next.rotated_at_ms = clock_now_ms(feeds->world->clock);
    next.last_fetch_at_ms = MOMENT_NONE;
    next.last_client = "";
    next.fetches = 0;
    return request_change(feeds, feed, next, true, done, ctx, err);
}

struct private_feed_change *private_feeds_revoke(struct private_feeds *feeds, const char *name,
                                                 private_feed_done_fn *done, void *ctx, struct error *err)
{
    struct private_feed *feed = find_living(feeds, name, err);

    if (!feed)
        return NULL;
    struct store_private_feed next = feed->told;
    next.revoked_at_ms = clock_now_ms(feeds->world->clock);
    return request_change(feeds, feed, next, false, done, ctx, err);
}

void private_feed_forget(struct private_feed_change **change)
{
    if (*change)
        (*change)->done = NULL;
    *change = NULL;
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

struct private_feeds *private_feeds_new(struct world *world, struct error *err)
{
    struct private_feeds *feeds = must_calloc(1, sizeof *feeds);
    struct store_private_feeds kept;

    feeds->world = world;
    feeds->writing = must_calloc(WRITE_MAX, sizeof(struct private_feed *));
    int rc = store_private_feeds(world->store, &kept, err);
    for (size_t i = 0; rc == 0 && i < kept.gone_count; i++)
        know_token(feeds, kept.gone[i], NULL);
    for (size_t i = 0; rc == 0 && i < kept.count; i++) {
        struct private_feed *feed = add_feed(feeds, &kept.feeds[i]);
        list_feed(feeds, feed);
        know_token(feeds, feed->told.hash, feed);
    }
    store_private_feeds_clear(&kept);
    if (rc == 0)
        return feeds;
    private_feeds_close(feeds);
    return NULL;
}

static void clear_index(struct index *index, void (*clear)(void *item))
{
    for (size_t i = 0; i < index->size; i++)
        if (index->at[i])
            clear(index->at[i]);
    index_clear(index);
}

static void drop_feed(void *item)
{
    struct private_feed *feed = item;

    if (feed->change) {
        store_cancel(&feed->change->job);
        change_free(feed->change);
    }
    feed_free(feed);
}

void private_feeds_close(struct private_feeds *feeds)
{
    if (!feeds)
        return;
    alarm_off(&feeds->alarm);
    store_cancel(&feeds->job); /* it is carried out all the same */
    while (feeds->dirty > 0) {
        request_write(feeds);
        store_cancel(&feeds->job);
    }
    clear_index(&feeds->tokens, free);
    clear_index(&feeds->names, drop_feed);
    free(feeds->writing);
    free(feeds->at);
    free(feeds);
}
