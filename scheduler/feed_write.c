/* What an opening says in its calendar now: written as it was stored last it reads the same, or it is the next one in
 * its sequence; and what a mail of it says meanwhile. */
#include "feed_private.h"

#include <string.h>

/* What an opening says now: the entry as it would be stored, and what it is made of. */
struct writing {
    struct feed *feed;
    const struct site_settings *settings;
    const struct opening *opening;
    const struct store_entry *known; /* NULL: it was never shown */
    struct store_entry row;
    const struct definition **tickets;
    size_t ticket_count;
    struct definition gone; /* stands for the tickets of one that was withdrawn */
    struct buf text;
};

/* --- What mails said ---------------------------------------------------------------------------------------------- */

/* How an opening stands in a mail, ahead of how it is stored. */
struct said {
    int64_t opening, sequence, created_at_ms, modified_at_ms;
    struct text text; /* behind it; empty: nobody knows any more */
};

static uint64_t hash_of_said(const void *item)
{
    return (uint64_t)((const struct said *)item)->opening * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

static bool same_said(const void *a, const void *b)
{
    return ((const struct said *)a)->opening == ((const struct said *)b)->opening;
}

static const struct index_kind by_opening = {hash_of_said, same_said};

static const struct said *find_said(const struct feed *feed, int64_t opening)
{
    return index_find(&feed->said, &by_opening, &(struct said){.opening = opening});
}

static void remember_said(struct feed *feed, const struct store_entry *row)
{
    struct said *said = must_calloc(1, sizeof *said + row->text.len + 1);

    *said = (struct said){
        row->opening, row->sequence, row->created_at_ms, row->modified_at_ms, {(char *)(said + 1), row->text.len}};
    memcpy(said + 1, row->text.len ? row->text.ptr : "", row->text.len);
    free(index_put(&feed->said, &by_opening, said));
}

void feed_recall_said(struct feed *feed, const struct store_said *said)
{
    const struct entry *entry = feed_entry(feed, said->opening);
    int64_t at_ms = feed_second(feed_now_ms(feed));

    remember_said(feed, &(struct store_entry){.opening = said->opening,
                                              .sequence = said->sequence,
                                              .created_at_ms = entry ? entry->row.created_at_ms : at_ms,
                                              .modified_at_ms = entry ? entry->row.modified_at_ms : at_ms});
}

void feed_forget_said(struct feed *feed, const struct store_entry *row)
{
    const struct said *said = find_said(feed, row->opening);

    if (said && said->sequence <= row->sequence)
        free(index_remove(&feed->said, &by_opening, said));
}

void feed_clear_said(struct feed *feed)
{
    for (size_t i = 0; i < feed->said.size; i++)
        free(feed->said.at[i]);
    index_clear(&feed->said);
}

/* --- Entries ------------------------------------------------------------------------------------------------------ */

bool feed_is_shown(const struct store_entry *row)
{
    return row && row->text.len > 0;
}

const struct store_entry *feed_known(const struct feed *feed, int64_t opening)
{
    const struct entry *entry = feed_entry(feed, opening);

    return entry ? &entry->row : NULL;
}

const struct store_entry *feed_latest(const struct feed *feed, int64_t opening)
{
    for (size_t i = feed->draft_count; i-- > 0;)
        if (feed->drafts[i].opening == opening)
            return &feed->drafts[i];
    return feed_known(feed, opening);
}

static void begin(struct writing *writing, int64_t at_ms)
{
    struct feed *feed = writing->feed;
    const struct opening *opening = writing->opening;

    if (writing->known) {
        writing->row = *writing->known;
        return;
    }
    char *uid = arena_alloc(&feed->arena, CALENDAR_UID_SIZE);
    calendar_uid(feed->world->keys, opening->site, opening->id, uid);
    writing->row = (struct store_entry){.opening = opening->id,
                                        .site = opening->site,
                                        .event_id = opening->event_id,
                                        .uid = uid,
                                        .created_at_ms = at_ms,
                                        .modified_at_ms = at_ms,
                                        .moved_from_ms = MOMENT_NONE,
                                        .leaves_at_ms = MOMENT_NONE};
}

/* The tickets that it names. False: nobody knows them any more, and what was shown of it stays. */
static bool find_tickets(struct writing *writing)
{
    const struct opening *opening = writing->opening;
    const struct world_site *site = world_site(writing->feed->world, opening->site);

    for (size_t i = 0; i < opening->member_count; i++) {
        const struct definition *ticket = definitions_find(&site->definitions, opening->members[i]);
        if (ticket)
            writing->tickets[writing->ticket_count++] = ticket;
    }
    return writing->ticket_count > 0;
}

static void take_scheduled(struct writing *writing)
{
    const struct definition *first = writing->tickets[0];
    struct store_entry *row = &writing->row;
    int64_t opens_at_ms = writing->opening->opens_at_ms;

    if (feed_is_shown(writing->known) && feed_second(row->opens_at_ms) != feed_second(opens_at_ms))
        row->moved_from_ms = row->opens_at_ms;
    row->opens_at_ms = opens_at_ms;
    row->withdrawn = false;
    row->title = *first->event_title ? first->event_title : *first->name ? first->name : first->event_id;
    row->url = first->event_url;
    row->place = first->event_place;
    row->zone = *first->event_zone ? first->event_zone : writing->settings->time_zone;
    row->leaves_at_ms = opens_at_ms + writing->settings->feed.keep_past_ms;
}

/* Its tickets may be gone: it says what it said last. */
static void take_withdrawn(struct writing *writing, int64_t at_ms)
{
    struct store_entry *row = &writing->row;

    if (!row->withdrawn)
        row->leaves_at_ms = at_ms + writing->settings->feed.keep_ms;
    row->withdrawn = true;
    writing->gone = (struct definition){.site = row->site,
                                        .id = "",
                                        .event_id = row->event_id,
                                        .name = "",
                                        .description = "",
                                        .price = "",
                                        .currency = "",
                                        .event_title = row->title,
                                        .event_zone = row->zone,
                                        .event_url = row->url,
                                        .event_place = row->place,
                                        .event_starts_at_ms = MOMENT_NONE,
                                        .sale_starts_at_ms = row->opens_at_ms,
                                        .sale_ends_at_ms = MOMENT_NONE};
    writing->tickets[0] = &writing->gone;
    writing->ticket_count = 1;
}

static int write_text(struct writing *writing, struct error *err)
{
    const struct feed *feed = writing->feed;
    const struct store_entry *row = &writing->row;
    struct calendar_style style = feed_style(feed, writing->settings);

    buf_reset(&writing->text);
    if (calendar_add_event(&writing->text, &style,
                           &(struct calendar_entry){.uid = row->uid,
                                                    .sequence = row->sequence,
                                                    .created_at_ms = row->created_at_ms,
                                                    .modified_at_ms = row->modified_at_ms,
                                                    .stamp_at_ms = row->modified_at_ms,
                                                    .opens_at_ms = row->opens_at_ms,
                                                    .moved_from_ms = row->moved_from_ms,
                                                    .withdrawn = row->withdrawn,
                                                    .zone = world_zone(feed->world, row->zone),
                                                    .tickets = writing->tickets,
                                                    .ticket_count = writing->ticket_count,
                                                    .members = (const char *const *)writing->opening->members,
                                                    .member_count = writing->opening->member_count},
                           err) < 0)
        return -1;
    return buf_failed(&writing->text) ? error_set(err, ERROR_REFUSED, "it would be over %d bytes", CALENDAR_EVENT_MAX)
                                      : 0;
}

void feed_add_draft(struct feed *feed, const struct store_entry *row)
{
    struct arena *arena = &feed->arena;

    if (feed->draft_count == feed->draft_room) {
        feed->draft_room = feed->draft_room ? 2 * feed->draft_room : 64;
        feed->drafts = must_realloc(feed->drafts, feed->draft_room * sizeof *feed->drafts);
    }
    struct store_entry *draft = &feed->drafts[feed->draft_count++];
    *draft = *row;
    draft->site = arena_string(arena, row->site);
    draft->event_id = arena_string(arena, row->event_id);
    draft->uid = arena_string(arena, row->uid);
    draft->title = arena_string(arena, row->title);
    draft->url = arena_string(arena, row->url);
    draft->place = arena_string(arena, row->place);
    draft->zone = arena_string(arena, row->zone);
    draft->text.ptr = arena_copy(arena, row->text);
}

/* What was written of it and could not be stored is older than what is written now. */
static void drop_draft(struct feed *feed, const struct writing *writing)
{
    size_t kept = 0;

    for (size_t i = 0; i < feed->draft_count; i++) {
        if (feed->drafts[i].opening == writing->opening->id)
            continue;
        if (kept < i)
            feed->drafts[kept] = feed->drafts[i];
        kept++;
    }
    if (kept < feed->draft_count && feed_is_shown(writing->known)) /* that it leaves, perhaps */
        feed_await_leaving(feed, writing->known->leaves_at_ms);
    feed->draft_count = kept;
}

/* Written as if nothing had changed it reads as it was read last, in a feed or in a mail: then nothing has. Else it is
 * the next one in its sequence. */
static int compare(struct writing *writing, int64_t at_ms, struct error *err)
{
    struct store_entry *row = &writing->row;
    const struct store_entry *known = writing->known;
    const struct said *said = find_said(writing->feed, row->opening);
    bool ahead = said && (!known || said->sequence > known->sequence);
    struct text last = known ? known->text : (struct text){0};

    if (ahead) {
        row->sequence = said->sequence;
        row->modified_at_ms = said->modified_at_ms;
        last = said->text;
        if (!known)
            row->created_at_ms = said->created_at_ms;
    }
    if (write_text(writing, err) < 0)
        return -1;
    if ((known || ahead) && !(last.len > 0 && text_equal(buf_text(&writing->text), last))) {
        row->sequence++;
        row->modified_at_ms = feed_later_than(at_ms, row->modified_at_ms);
        if (write_text(writing, err) < 0)
            return -1;
    }
    row->text = buf_text(&writing->text);
    return 0;
}

static int compare_and_draft(struct writing *writing, int64_t at_ms, struct error *err)
{
    const struct store_entry *row = &writing->row, *known = writing->known;

    if (compare(writing, at_ms, err) < 0)
        return -1;
    if (!known || row->sequence != known->sequence || row->leaves_at_ms != known->leaves_at_ms)
        feed_add_draft(writing->feed, row);
    return 0;
}

static void writing_clear(struct writing *writing)
{
    buf_clear(&writing->text);
    free(writing->tickets);
}

static void write_opening(struct feed *feed, const struct site_settings *settings, const struct opening *opening,
                          int64_t changed_ms)
{
    struct writing writing = {
        .feed = feed, .settings = settings, .opening = opening, .known = feed_known(feed, opening->id)};
    int64_t at_ms = feed_second(feed_now_ms(feed));
    bool withdrawn = opening->state == OPENING_WITHDRAWN;
    struct error err = {0};

    drop_draft(feed, &writing);
    if (!feed_is_shown(writing.known) &&
        (withdrawn || opening->opens_at_ms + settings->feed.keep_past_ms <= feed_now_ms(feed)))
        return; /* nobody has it in a calendar, and nobody needs it there */
    if (withdrawn && !writing.known->withdrawn && writing.known->opens_at_ms <= changed_ms)
        return; /* it has opened, and its tickets went later: that is history */
    writing.tickets = must_calloc(opening->member_count + 1, sizeof(struct definition *));
    buf_init(&writing.text, CALENDAR_EVENT_MAX);
    begin(&writing, at_ms);
    if (withdrawn || find_tickets(&writing)) {
        if (withdrawn)
            take_withdrawn(&writing, at_ms);
        else
            take_scheduled(&writing);
        if (compare_and_draft(&writing, at_ms, &err) < 0)
            log_line(feed->world->log, LOG_ERROR, "event=feed_failed site=%s opening=%lld error=%s", opening->site,
                     (long long)opening->id, LOG_QUOTED(text_of(err.text)));
    }
    writing_clear(&writing);
}

void feed_write_event(struct feed *feed, const char *site_name, const char *event_id, int64_t changed_ms)
{
    const struct world_site *site = world_site(feed->world, site_name);

    if (!site || !site->settings)
        return; /* no longer configured: what is stored stays */
    for (const struct opening *opening = openings_of(&feed->world->openings, site_name, event_id); opening;
         opening = opening->next)
        write_opening(feed, site->settings, opening, changed_ms);
}

/* --- What a mail says --------------------------------------------------------------------------------------------- */

/* As it stands, or would stand if its event's quiet ended now; `whole`: with its text. */
static void write_for_mail(struct writing *writing, bool whole)
{
    struct feed *feed = writing->feed;
    const struct opening *opening = writing->opening;
    const struct world_site *site = world_site(feed->world, opening->site);
    int64_t since_ms = feed_waits_since(feed, opening->site, opening->event_id);
    /* A mail that was made ten seconds ahead says the same as one that is made at the moment itself. */
    int64_t at_ms = feed_second(since_ms == MOMENT_NONE ? feed_now_ms(feed) : since_ms);
    struct error err = {0}; /* who writes it says so */

    writing->settings = site ? site->settings : NULL;
    writing->known = feed_latest(feed, opening->id);
    buf_init(&writing->text, CALENDAR_EVENT_MAX);
    begin(writing, at_ms);
    if (!feed->texts || !writing->settings || opening->state != OPENING_SCHEDULED || since_ms == MOMENT_NONE ||
        (!whole && !writing->known))
        return; /* what was never shown has nothing to be compared with */
    writing->tickets = must_calloc(opening->member_count + 1, sizeof(struct definition *));
    if (find_tickets(writing)) {
        take_scheduled(writing);
        compare(writing, at_ms, &err);
    }
}

void feed_stamp(struct feed *feed, const struct opening *opening, struct feed_stamp *out)
{
    struct writing writing = {.feed = feed, .opening = opening};
    const struct store_entry *row = &writing.row;

    write_for_mail(&writing, false);
    *out = (struct feed_stamp){.sequence = row->sequence,
                               .created_at_ms = row->created_at_ms,
                               .modified_at_ms = row->modified_at_ms,
                               .moved_from_ms = row->moved_from_ms};
    snprintf(out->uid, sizeof out->uid, "%s", row->uid);
    writing_clear(&writing);
}

void feed_say(struct feed *feed, const struct opening *opening)
{
    struct writing writing = {.feed = feed, .opening = opening};
    const struct store_entry *row = &writing.row, *stored = feed_known(feed, opening->id);
    const struct said *said = find_said(feed, opening->id);

    write_for_mail(&writing, true);
    bool ahead = row->text.len > 0 && (!stored || row->sequence > stored->sequence);
    if (ahead && !(said && said->sequence == row->sequence)) {
        remember_said(feed, row);
        store_publish(
            feed->world->store,
            &(struct store_calendars){.said = &(struct store_said){opening->id, row->sequence}, .said_count = 1}, NULL,
            NULL);
    }
    writing_clear(&writing);
    feed_end_quiet(feed, opening->site, opening->event_id);
}
