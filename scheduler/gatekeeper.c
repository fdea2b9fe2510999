#include "gatekeeper.h"

#include <string.h>

struct gate_question {
    struct gatekeeper *keeper;
    struct gate_question *next;
    struct source_ask *asks; /* ids are ours */
    size_t count;
    gate_answer_fn *done; /* NULL: cancelled */
    void *ctx;
};

struct gatekeeper {
    struct source *source;
    struct alarms *alarms;
    const struct clock *clock;
    gate_news_fn *news;
    void *ctx;
    struct gate_question *waiting; /* for the next request */
    struct gate_question *asked;   /* in the request in flight */
    struct source_request *request;
    struct error unable; /* why there is no request for what is asked: heard a turn later, like every answer */
    struct alarm soon;
};

static void request(void *ctx);
static void on_answer(void *ctx, struct source_answer *answer);

static void question_free(struct gate_question *question)
{
    for (size_t i = 0; i < question->count; i++)
        free((char *)(uintptr_t)question->asks[i].id);
    free(question->asks);
    free(question);
}

/* What was heard of one definition; whoever asked finds it by its id. */
struct heard {
    const char *id;
    enum source_verdict verdict;
    const struct definition *definition;
};

static uint64_t hash_of_id(const void *item)
{
    return index_hash(INDEX_HASH, *(const char *const *)item);
}

static bool same_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
}

/* Of anything that begins with an id. */
static const struct index_kind by_id = {hash_of_id, same_id};

static void answer_with(struct gate_question *question, const struct source_answer *answer, const struct index *heard)
{
    struct gate_word_of *words = must_calloc(question->count, sizeof *words);
    struct gate_answer mine = {
        .words = words, .count = question->count, .answered_at_ms = answer->answered_at_ms, .failure = answer->failure};

    for (size_t i = 0; i < question->count; i++) {
        const struct heard *one = index_find(heard, &by_id, &(struct heard){.id = question->asks[i].id});
        words[i] = (struct gate_word_of){.id = question->asks[i].id,
                                         .verdict = one ? one->verdict : SOURCE_UNKNOWN,
                                         .definition = one ? one->definition : NULL};
    }
    if (answer->server_date_ms != MOMENT_NONE)
        mine.clock_ahead_ms = answer->answered_at_ms - answer->server_date_ms;
    if (question->done)
        question->done(question->ctx, &mine);
    free(words);
    question_free(question);
}

static void on_answer(void *ctx, struct source_answer *answer)
{
    struct gatekeeper *keeper = ctx;
    struct gate_question *question = keeper->asked, *next;
    auto_free struct heard *heard = must_calloc(answer->count + 1, sizeof *heard);
    struct index index = {0};

    keeper->request = NULL;
    keeper->asked = NULL;
    keeper->news(keeper->ctx, answer);
    for (size_t i = 0; i < answer->count; i++) {
        heard[i] = (struct heard){answer->ids[i], answer->verdicts[i], answer->definitions[i]};
        index_put(&index, &by_id, &heard[i]);
    }
    for (; question; question = next) {
        next = question->next;
        answer_with(question, answer, &index);
    }
    index_clear(&index);
    request(keeper);
}

static void on_unable(void *ctx)
{
    struct gatekeeper *keeper = ctx;
    struct source_answer none = {
        .answered_at_ms = clock_now_ms(keeper->clock), .server_date_ms = MOMENT_NONE, .failure = &keeper->unable};

    on_answer(keeper, &none);
}

static void request(void *ctx)
{
    struct gatekeeper *keeper = ctx;
    struct source_ask *asks = NULL;
    struct index asked = {0};
    size_t count = 0, cap = 0;

    if (keeper->asked || !keeper->waiting)
        return;
    keeper->unable = (struct error){0};
    keeper->asked = keeper->waiting;
    keeper->waiting = NULL;
    for (struct gate_question *question = keeper->asked; question; question = question->next) {
        cap += question->count;
        asks = must_realloc(asks, cap * sizeof *asks);
        for (size_t i = 0; i < question->count; i++)
            if (!index_find(&asked, &by_id, &question->asks[i])) {
                index_put(&asked, &by_id, &question->asks[i]);
                asks[count++] = question->asks[i];
            }
    }
    index_clear(&asked);
    keeper->request = keeper->source->ops->ask(keeper->source, asks, count, on_answer, keeper, &keeper->unable);
    free(asks);
    if (!keeper->request) /* everybody hears that nobody knows */
        alarm_set(keeper->alarms, &keeper->soon, clock_now_ms(keeper->clock), on_unable, keeper);
}

struct gatekeeper *gatekeeper_new(struct source *source, struct alarms *alarms, const struct clock *clock,
                                  gate_news_fn *news, void *ctx)
{
    struct gatekeeper *keeper = must_calloc(1, sizeof *keeper);

    *keeper = (struct gatekeeper){.source = source, .alarms = alarms, .clock = clock, .news = news, .ctx = ctx};
    return keeper;
}

void gatekeeper_free(struct gatekeeper *keeper)
{
    if (!keeper)
        return;
    source_cancel(keeper->source, &keeper->request);
    alarm_off(&keeper->soon);
    struct gate_question *lists[] = {keeper->waiting, keeper->asked};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (struct gate_question *question = lists[i], *next; question; question = next) {
            next = question->next;
            question_free(question);
        }
    free(keeper);
}

struct gate_question *gate_ask(struct gatekeeper *keeper, const struct source_ask *asks, size_t count,
                               gate_answer_fn *done, void *ctx)
{
    struct gate_question *question = must_calloc(1, sizeof *question), **end = &keeper->waiting;

    *question = (struct gate_question){.keeper = keeper, .count = count, .done = done, .ctx = ctx};
    question->asks = must_calloc(count, sizeof *asks);
    for (size_t i = 0; i < count; i++)
        question->asks[i] = (struct source_ask){must_strdup(asks[i].id), asks[i].revision};
    while (*end)
        end = &(*end)->next;
    *end = question;
    if (!keeper->asked) /* the next turn: whoever is due at the same instant joins this request */
        alarm_set(keeper->alarms, &keeper->soon, clock_now_ms(keeper->clock), request, keeper);
    return question;
}

void gate_cancel(struct gate_question **question)
{
    if (*question)
        (*question)->done = NULL; /* freed with its answer */
    *question = NULL;
}

bool gatekeeper_busy(const struct gatekeeper *keeper)
{
    return keeper->asked || keeper->waiting;
}
