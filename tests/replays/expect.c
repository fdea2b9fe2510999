/* expect.c - what a story expects. */
#include "words.h"

#include <string.h>

void replay_fail(struct replay *replay, const char *format, ...)
{
    va_list args;

    replay->failures++;
    fprintf(stderr, "%s:%u: ", replay->story, replay->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int64_t replay_moment(struct replay *replay, const char *word)
{
    struct error err = {0};
    int64_t out_ms = replay->stage.now_ms;

    if (shop_moment(word, replay->stage.now_ms, &out_ms, &err) < 0)
        replay_fail(replay, "%s", err.text);
    return out_ms;
}

int64_t replay_number(struct replay *replay, const char *word)
{
    struct error err = {0};
    int64_t out = 0;

    if (parse_i64(text_of(word), -1, INT64_MAX, &out, &err) < 0)
        replay_fail(replay, "\"%s\": %s", word, err.text);
    return out;
}

static bool is_yes(struct replay *replay, const char *word)
{
    if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
        replay_fail(replay, "\"%s\": expected yes or no", word);
    return strcmp(word, "yes") == 0;
}

struct notice *replay_notice(struct replay *replay, const char *word)
{
    struct text at = text_of(word), event = text_cut(&at, '@'), rule = text_cut(&event, '/');
    const struct notices *notices = &replay->stage.world.notices;
    struct notice *found = NULL;

    for (size_t i = 0; i < notices->count; i++)
        if (text_is(rule, notices->at[i]->rule) && (event.len == 0 || text_is(event, notices->at[i]->subject)) &&
            (at.len == 0 || notices->at[i]->at_ms == replay_moment(replay, at.ptr)))
            found = notices->at[i];
    if (!found)
        replay_fail(replay, "there is no notice %s", word);
    return found;
}

void replay_list(struct replay *replay)
{
    const struct notices *notices = &replay->stage.world.notices;

    for (size_t i = 0; i < notices->count; i++) {
        const struct notice *n = notices->at[i];
        auto_buf struct buf line;
        buf_init(&line, 1024);
        buf_addf(&line, "%s/%s@", n->rule, n->subject);
        buf_add_moment(&line, n->at_ms);
        buf_adds(&line, " due ");
        buf_add_moment(&line, n->due_at_ms);
        buf_addf(&line, " edition %d: %s (%s)", n->edition, notice_state_name(n->state), notice_reason_name(n->reason));
        fprintf(stderr, "    notice %lld %s: planned %lld waiting %lld accepted %lld withheld %lld pass %lld%s%s\n",
                (long long)n->id, line.ptr, (long long)n->course->tally.planned, (long long)n->course->tally.waiting,
                (long long)n->course->tally.accepted, (long long)n->course->tally.withheld, (long long)n->course->pass,
                n->course->reason_text ? ": " : "", n->course->reason_text ? n->course->reason_text : "");
        for (size_t k = 0; k < n->course->member_count; k++)
            fprintf(stderr, "        named %s\n", n->course->members[k]);
    }
    for (size_t i = 0; i < replay->stage.postman.letter_count; i++) {
        const struct postman_letter *letter = &replay->stage.postman.letters[i];
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_moment(&at, letter->at_ms);
        fprintf(stderr, "    %s %s%s\n", at.ptr, letter->address, letter->taken ? "" : " (not taken)");
    }
}

static bool number_is(struct replay *replay, const char *what, int64_t is, const char *expected)
{
    if (is == replay_number(replay, expected))
        return true;
    replay_fail(replay, "expected %s %s, found %lld", expected, what, (long long)is);
    return false;
}

static void moment_is(struct replay *replay, const char *what, int64_t is_ms, const char *word)
{
    auto_buf struct buf found;

    buf_init(&found, 64);
    if (is_ms == replay_moment(replay, word))
        return;
    if (is_ms != MOMENT_NONE)
        buf_add_moment(&found, is_ms);
    replay_fail(replay, "expected %s %s, found %s", what, word, is_ms == MOMENT_NONE ? "none" : found.ptr);
}

/* The words from there on, joined again: reasons have blanks. */
static void join(const struct words *words, size_t from, struct buf *out)
{
    buf_init(out, 512);
    for (size_t i = from; i < words->count; i++)
        buf_addf(out, "%s%s", i > from ? " " : "", words->at[i]);
}

/* --- Each expectation: words[0] is "expect", words[1] its name --- */

static void messages(struct replay *replay, const struct words *words)
{
    number_is(replay, "messages", (int64_t)postman_told(&replay->stage.postman, NULL), words->at[2]);
}

/* begun N: notices that have told somebody */
static void begun(struct replay *replay, const struct words *words)
{
    const struct notices *all = &replay->stage.world.notices;
    int64_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        count += all->at[i]->course->first_handover_at_ms != MOMENT_NONE;
    number_is(replay, "notices begun", count, words->at[2]);
}

/* forecast NOTICE MS|some fits|misfit: as stored; forecast NOTICE none */
static void forecast(struct replay *replay, const struct words *words)
{
    struct notice *notice = replay_notice(replay, words->at[2]);
    json_t *shown =
        notice ? replay_ask(replay, &(struct store_report){.kind = REPORT_SHOW, .notice = notice->id}) : NULL;
    const json_t *span = json_object_get(shown, "will_finish_ms");

    bool none = strcmp(words->at[3], "none") == 0, some = strcmp(words->at[3], "some") == 0;
    if (none ? !json_is_null(span)
             : !json_is_integer(span) || (!some && json_integer_value(span) != replay_number(replay, words->at[3])))
        replay_fail(replay, "expected forecast %s, found %lld: %s", words->at[3],
                    json_is_integer(span) ? (long long)json_integer_value(span) : -1LL,
                    json_string_value(json_object_get(shown, "forecast")));
    if (words->count > 4 && json_is_true(json_object_get(shown, "fits")) != (strcmp(words->at[4], "fits") == 0))
        replay_fail(replay, "expected that it %s", words->at[4]);
    json_decref(shown);
}

static void told(struct replay *replay, const struct words *words)
{
    number_is(replay, words->at[2], (int64_t)postman_told(&replay->stage.postman, words->at[2]), words->at[3]);
}

/* expect attempts N [ADDRESS]: what reached the receivers, whatever they answered; an ADDRESS is a glob */
static void attempts(struct replay *replay, const struct words *words)
{
    const struct postman *postman = &replay->stage.postman;
    int64_t count = 0;

    for (size_t i = 0; i < postman->letter_count; i++)
        count += words->count < 4 || text_matches(text_of(postman->letters[i].address), words->at[3]);
    number_is(replay, "attempts", count, words->at[2]);
}

/* expect pace N SPAN: never more than N attempts in any such span */
static void pace(struct replay *replay, const struct words *words)
{
    const struct postman *postman = &replay->stage.postman;
    struct error err = {0};
    int64_t span_ms = 0, most = replay_number(replay, words->at[2]);
    size_t first = 0;

    if (parse_span(text_of(words->at[3]), &span_ms, &err) < 0)
        replay_fail(replay, "%s", err.text);
    for (size_t i = 0; i < postman->letter_count; i++) {
        while (postman->letters[i].at_ms - postman->letters[first].at_ms >= span_ms)
            first++;
        if ((int64_t)(i - first + 1) > most) {
            replay_fail(replay, "expected at most %s in %s, found more", words->at[2], words->at[3]);
            return;
        }
    }
}

/* expect channel NAME STATE [TEXT ...]: what people are told begins with the text */
static void channel(struct replay *replay, const struct words *words)
{
    const struct world *world = &replay->stage.world;
    auto_buf struct buf text;

    join(words, 4, &text);
    for (size_t i = 0; i < world->channel_count; i++) {
        struct channel_standing standing = channel_standing(world->channels[i]);
        if (strcmp(channel_settings(world->channels[i])->name, words->at[2]) != 0)
            continue;
        if (strcmp(channel_state_name(standing.state), words->at[3]) != 0 ||
            (text.len > 0 && !text_starts(text_of(standing.text), text.ptr)))
            replay_fail(replay, "notifier %s is %s: %s", words->at[2], channel_state_name(standing.state),
                        standing.text ? standing.text : "");
        return;
    }
    replay_fail(replay, "there is no notifier %s", words->at[2]);
}

/* expect letter N ADDRESS [FROM]: to whom the nth message of the story went, and who its From names */
static void letter(struct replay *replay, const struct words *words)
{
    const struct postman *postman = &replay->stage.postman;
    int64_t n = replay_number(replay, words->at[2]);
    const struct postman_letter *found = n > 0 && (size_t)n <= postman->letter_count ? &postman->letters[n - 1] : NULL;

    if (!found || strcmp(found->address, words->at[3]) != 0)
        replay_fail(replay, "expected letter %lld to go to %s", (long long)n, words->at[3]);
    else if (words->count > 4 && !strstr(found->from, words->at[4]))
        replay_fail(replay, "expected letter %lld to come from %s: %s", (long long)n, words->at[4], found->from);
}

static void notices(struct replay *replay, const struct words *words)
{
    const struct notices *all = &replay->stage.world.notices;
    int64_t alive = 0;

    for (size_t i = 0; i < all->count; i++)
        alive += all->at[i]->state != NOTICE_WITHDRAWN;
    number_is(replay, "notices not withdrawn", alive, words->at[2]);
}

static void openings(struct replay *replay, const struct words *words)
{
    const struct openings *all = &replay->stage.world.openings;
    int64_t scheduled = 0;

    for (size_t i = 0; i < all->count; i++)
        scheduled += all->at[i]->state == OPENING_SCHEDULED;
    number_is(replay, "openings", scheduled, words->at[2]);
}

/* expect opening 09:00:00 MEMBERS [ID] */
static void opening(struct replay *replay, const struct words *words)
{
    const struct opening *found =
        openings_find(&replay->stage.world.openings, "arena", "festival", replay_moment(replay, words->at[2]));

    if (!found)
        replay_fail(replay, "there is no opening at %s", words->at[2]);
    else if (number_is(replay, "members", (int64_t)found->member_count, words->at[3]) && words->count > 4)
        number_is(replay, "id", found->id, words->at[4]);
}

static void due(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);

    if (notice)
        moment_is(replay, "due", notice->due_at_ms, words->at[3]);
}

static void first(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);

    if (notice)
        moment_is(replay, "first hand-over", notice->course->first_handover_at_ms, words->at[3]);
}

static void last(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);

    if (notice)
        moment_is(replay, "last hand-over", notice->course->last_handover_at_ms, words->at[3]);
}

static void reads(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);

    if (notice)
        number_is(replay, "complete reads", notice->course->pass, words->at[3]);
}

/* expect heard TYPE N: events of a webhook, however often each was told */
static void heard(struct replay *replay, const struct words *words)
{
    number_is(replay, words->at[2], ear_heard(&replay->stage.ear, words->at[2]), words->at[3]);
}

/* expect asks MOST: questions put to the site by id so far */
static void asks(struct replay *replay, const struct words *words)
{
    int64_t most = replay_number(replay, words->at[2]);

    if (replay->stage.front.asked > most)
        replay_fail(replay, "expected at most %s questions, found %lld", words->at[2],
                    (long long)replay->stage.front.asked);
}

/* expect named NOTICE N: definitions its message speaks of */
static void named(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);

    if (notice)
        number_is(replay, "named", (int64_t)notice->course->member_count, words->at[3]);
}

static void edition(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);

    if (notice)
        number_is(replay, "edition", notice->edition, words->at[3]);
}

/* expect count RULE waiting N */
static void count(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);
    const struct tally *tally = notice ? &notice->course->tally : &(struct tally){0};
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"planned", tally->planned}, {"waiting", tally->waiting},   {"accepted", tally->accepted},
                  {"refused", tally->refused}, {"in_doubt", tally->in_doubt}, {"withheld", tally->withheld},
                  {"claimed", tally->claimed}};

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (strcmp(counts[i].name, words->at[3]) == 0) {
            number_is(replay, words->at[3], counts[i].n, words->at[4]);
            return;
        }
    replay_fail(replay, "there is no count of %s", words->at[3]);
}

/* expect withheld RULE N REASON ... */
static void withheld(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[2]);
    auto_buf struct buf reason;
    int64_t found = 0;
    size_t i;
    json_t *row,
        *show = notice ? replay_ask(replay, &(struct store_report){.kind = REPORT_SHOW, .notice = notice->id}) : NULL;

    join(words, 4, &reason);
    json_array_foreach(json_object_get(show, "reasons"), i, row)
    {
        const char *state = json_string_value(json_object_get(row, "state"));
        const char *why = json_string_value(json_object_get(row, "reason"));
        if (state && why && strcmp(state, "withheld") == 0 && text_is(buf_text(&reason), why))
            found += json_integer_value(json_object_get(row, "count"));
    }
    if (show)
        number_is(replay, "withheld for that reason", found, words->at[3]);
    json_decref(show);
}

/* expect known ADDRESS yes|no: do the state's files hold it? */
static void known(struct replay *replay, const struct words *words)
{
    bool want = is_yes(replay, words->at[3]);

    /* The log is emptied when no reader is in the way, within a second of the machine's. */
    for (unsigned patience = 0; !want && patience < 100 && stage_has(&replay->stage, words->at[2]); patience++)
        usleep(20000);
    if (stage_has(&replay->stage, words->at[2]) != want)
        replay_fail(replay, "expected the address %s in the state's files", want ? "to be" : "not to be");
}

/* expect people NOTICE N: whose addresses are kept */
static void people(struct replay *replay, const struct words *words)
{
    struct notice *notice = replay_notice(replay, words->at[2]);
    int64_t count = 0;
    size_t i;
    json_t *person;

    if (!notice)
        return;
    json_t *listed = replay_ask(replay, &(struct store_report){.kind = REPORT_PEOPLE, .notice = notice->id});
    json_array_foreach(listed, i, person) count += json_is_string(json_object_get(person, "address"));
    json_decref(listed);
    number_is(replay, "people with an address", count, words->at[3]);
}

static void frozen(struct replay *replay, const struct words *words)
{
    if (replay->stage.world.frozen != is_yes(replay, words->at[2]))
        replay_fail(replay, "expected frozen %s", words->at[2]);
}

/* expect no NOTICE: nobody ever planned it, or it is withdrawn */
static void no(struct replay *replay, const struct words *words)
{
    unsigned failures = replay->failures;
    const struct notice *notice = NULL;
    const struct notices *all = &replay->stage.world.notices;

    for (size_t i = 0; i < all->count && !notice; i++)
        if (strcmp(all->at[i]->rule, words->at[2]) == 0)
            notice = replay_notice(replay, words->at[2]);
    replay->failures = failures; /* none at that instant is fine */
    if (notice && notice->state != NOTICE_WITHDRAWN)
        replay_fail(replay, "expected no notice %s", words->at[2]);
}

/* expect RULE[/EVENT][@MOMENT] STATE [REASON ...] */
static void state(struct replay *replay, const struct words *words)
{
    const struct notice *notice = replay_notice(replay, words->at[1]);
    auto_buf struct buf reason;

    join(words, 3, &reason);
    if (!notice)
        return;
    if (strcmp(notice_state_name(notice->state), words->at[2]) != 0)
        replay_fail(replay, "expected %s to be %s, it is %s", words->at[1], words->at[2],
                    notice_state_name(notice->state));
    if (reason.len > 0 && !text_is(buf_text(&reason), notice_reason_name(notice->reason)))
        replay_fail(replay, "expected the reason \"%s\", it is \"%s\"", reason.ptr, notice_reason_name(notice->reason));
}

/* expect calendar N [VERSIONS] */
static void calendar(struct replay *replay, const struct words *words)
{
    const struct almanac *almanac = &replay->stage.almanac;

    number_is(replay, "events in the calendar", (int64_t)json_object_size(almanac->present), words->at[2]);
    if (words->count > 3)
        number_is(replay, "versions of the calendar", (int64_t)almanac->versions, words->at[3]);
}

/* expect published yes|no */
static void published(struct replay *replay, const struct words *words)
{
    struct world *world = &replay->stage.world;
    const char *is = feed_is_published(world->feed, world->sites[0].name) ? "yes" : "no";

    if (strcmp(words->at[2], is) != 0)
        replay_fail(replay, "expected published %s, it is %s", words->at[2], is);
}

/* expect event T SEQUENCE STATUS [WORDS ...] */
static void event(struct replay *replay, const struct words *words)
{
    json_t *found = almanac_at(&replay->stage.almanac, replay_moment(replay, words->at[2]));
    auto_buf struct buf wanted;

    buf_init(&wanted, 1024);
    if (!found) {
        replay_fail(replay, "no event of the calendar starts at %s", words->at[2]);
        return;
    }
    const char *text = json_string_value(json_object_get(found, "text"));
    number_is(replay, "as its sequence", json_integer_value(json_object_get(found, "sequence")), words->at[3]);
    if (strcmp(json_string_value(json_object_get(found, "status")), words->at[4]) != 0)
        replay_fail(replay, "expected %s:\n%s", words->at[4], text);
    for (size_t i = 5; i < words->count; i++)
        buf_addf(&wanted, "%s%s", i > 5 ? " " : "", words->at[i]);
    if (wanted.len > 0 && !strstr(text, wanted.ptr))
        replay_fail(replay, "expected \"%s\":\n%s", wanted.ptr, text);
}

void replay_expect(struct replay *replay, const struct words *words)
{
    static const struct {
        const char *name;
        size_t least, most; /* words, with "expect" */
        void (*check)(struct replay *replay, const struct words *words);
    } expectations[] = {
        {"messages", 3, 3, messages},
        {"begun", 3, 3, begun},
        {"forecast", 4, 5, forecast},
        {"told", 4, 4, told},
        {"letter", 4, 5, letter},
        {"notices", 3, 3, notices},
        {"openings", 3, 3, openings},
        {"opening", 4, 5, opening},
        {"due", 4, 4, due},
        {"first", 4, 4, first},
        {"last", 4, 4, last},
        {"reads", 4, 4, reads},
        {"edition", 4, 4, edition},
        {"count", 5, 5, count},
        {"withheld", 5, WORDS_MAX, withheld},
        {"known", 4, 4, known},
        {"people", 4, 4, people},
        {"frozen", 3, 3, frozen},
        {"no", 3, 3, no},
        {"named", 4, 4, named},
        {"attempts", 3, 4, attempts},
        {"asks", 3, 3, asks},
        {"heard", 4, 4, heard},
        {"pace", 4, 4, pace},
        {"channel", 4, WORDS_MAX, channel},
        {"calendar", 3, 4, calendar},
        {"published", 3, 3, published},
        {"event", 5, WORDS_MAX, event},
    };
    unsigned failures = replay->failures;

    for (size_t i = 0; i <= ARRAY_LEN(expectations); i++) {
        if (i == ARRAY_LEN(expectations)) {
            if (words->count < 3)
                replay_fail(replay, "expect what?");
            else
                state(replay, words);
        } else if (words->count > 1 && strcmp(words->at[1], expectations[i].name) == 0) {
            if (words->count < expectations[i].least || words->count > expectations[i].most)
                replay_fail(replay, "expect %s what?", words->at[1]);
            else
                expectations[i].check(replay, words);
            break;
        }
    }
    if (replay->failures > failures)
        replay_list(replay);
}
