#include "postman.h"

#include <string.h>

struct postman_job {
    struct postman *postman;
    const struct notifier_host *host;
    struct notifier_delivery *delivery;
    struct notifier_result answer;
    int64_t answer_at_ms; /* by the machine's clock; 0: never */
    struct alarm alarm;
    struct postman_job *next;
};

static void complain(struct postman *postman, const char *what, const char *address)
{
    if (!*postman->complaint)
        snprintf(postman->complaint, sizeof postman->complaint, "%s: %s", address, what);
}

static const struct postman_habit *habit_for(struct postman *postman, const char *address)
{
    static const struct postman_habit kind = {.answer = {.fate = NOTIFIER_ACCEPTED, .code = 250}};

    for (size_t i = postman->habit_count; i-- > 0;) {
        struct postman_habit *habit = &postman->habits[i];
        if (habit->times == 0 || !text_matches(text_of(address), habit->address))
            continue;
        habit->times -= habit->times > 0;
        return habit;
    }
    return &kind;
}

/* A field of its header; "" when there is none. Folded ones are cut. */
static void copy_field(const struct notifier_delivery *delivery, const char *name, char *out, size_t size)
{
    struct text rest = {delivery->raw, delivery->raw_len};

    *out = '\0';
    for (struct text line = text_cut(&rest, '\n'); text_trim(line).len > 0; line = text_cut(&rest, '\n'))
        if (text_starts(line, name)) {
            struct text value = text_trim((struct text){line.ptr + strlen(name), line.len - strlen(name)});
            snprintf(out, size, "%.*s", TEXT_ARGS(value));
            for (char *blank = strchr(out, '_'); blank; blank = strchr(blank, '_'))
                *blank = ' '; /* RFC 2047, 4.2 (2) */
            return;
        }
}

/* Who is in doubt has the message: that is what makes a second one wrong. */
static void note_down(struct postman *postman, const struct notifier_delivery *delivery, bool taken)
{
    int64_t now_ms = clock_now_ms(postman->clock);

    for (size_t i = 0; taken && i < postman->letter_count; i++)
        if (postman->letters[i].taken && strcmp(postman->letters[i].token, delivery->token) == 0)
            complain(postman, "the same message a second time", delivery->to);
    if (now_ms < postman->never_before_ms)
        complain(postman, "a message too early", delivery->to);
    if (postman->letter_count == postman->letter_cap) {
        postman->letter_cap = postman->letter_cap ? 2 * postman->letter_cap : 64;
        postman->letters = must_realloc(postman->letters, postman->letter_cap * sizeof *postman->letters);
    }
    struct postman_letter *letter = &postman->letters[postman->letter_count++];
    *letter = (struct postman_letter){.at_ms = now_ms, .taken = taken};
    snprintf(letter->address, sizeof letter->address, "%s", delivery->to);
    snprintf(letter->token, sizeof letter->token, "%s", delivery->token);
    copy_field(delivery, "From: ", letter->from, sizeof letter->from);
    copy_field(delivery, "Subject: ", letter->subject, sizeof letter->subject);
}

static void job_end(struct postman_job *job)
{
    struct postman_job **at = &job->postman->jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    alarm_off(&job->alarm);
    free(job);
}

static void on_time(void *ctx)
{
    struct postman_job mine = *(struct postman_job *)ctx;

    job_end(ctx);
    mine.host->finish(mine.host, mine.delivery, &mine.answer);
}

static void take(struct desk *desk, const struct notifier_host *host, struct notifier_delivery *delivery)
{
    struct postman *postman = (struct postman *)desk;
    const struct postman_habit *habit = habit_for(postman, delivery->to);
    struct notifier_result answer = habit->answer;

    answer.handed_over_at_ms = clock_now_ms(postman->clock);
    note_down(postman, delivery,
              !habit->never && (answer.fate == NOTIFIER_ACCEPTED || answer.fate == NOTIFIER_IN_DOUBT));
    if (postman->latency_ms == 0 && !habit->never) {
        host->finish(host, delivery, &answer);
        return;
    }
    struct postman_job *job = must_calloc(1, sizeof *job);
    *job = (struct postman_job){
        .postman = postman, .host = host, .delivery = delivery, .answer = answer, .next = postman->jobs};
    postman->jobs = job;
    if (habit->never)
        return;
    job->answer_at_ms = answer.handed_over_at_ms + postman->latency_ms;
    alarm_set(postman->alarms, &job->alarm, job->answer_at_ms, on_time, job);
}

/* What has begun is answered in its time; at the very end nothing is: the host says what that means. */
static void stop(struct desk *desk, const struct notifier_host *host, bool at_once)
{
    struct postman *postman = (struct postman *)desk;

    for (struct postman_job *job = postman->jobs, *next; at_once && job; job = next) {
        next = job->next;
        if (job->host == host)
            job_end(job);
    }
}

static int64_t window(const struct desk *desk)
{
    return ((const struct postman *)desk)->window;
}

void postman_init(struct postman *postman, const struct clock *clock)
{
    *postman =
        (struct postman){.desk = {take, stop, window}, .clock = clock, .window = 100, .never_before_ms = MOMENT_NONE};
}

void postman_clock_stepped(struct postman *postman, int64_t step_ms)
{
    for (struct postman_job *job = postman->jobs; job; job = job->next) {
        if (job->answer_at_ms == 0)
            continue;
        job->answer_at_ms += step_ms;
        alarm_set(postman->alarms, &job->alarm, job->answer_at_ms, on_time, job);
    }
}

void postman_forget_jobs(struct postman *postman)
{
    while (postman->jobs)
        job_end(postman->jobs);
}

void postman_clear(struct postman *postman)
{
    postman_forget_jobs(postman);
    free(postman->letters);
    free(postman->habits);
}

void postman_habit(struct postman *postman, const char *address, const struct notifier_result *answer, int64_t times)
{
    postman->habits = must_realloc(postman->habits, (postman->habit_count + 1) * sizeof *postman->habits);
    struct postman_habit *habit = &postman->habits[postman->habit_count++];
    *habit = (struct postman_habit){.answer = *answer, .times = times};
    snprintf(habit->address, sizeof habit->address, "%s", address);
}

void postman_hang(struct postman *postman, const char *address, int64_t times)
{
    postman_habit(postman, address, &(struct notifier_result){.fate = NOTIFIER_IN_DOUBT}, times);
    postman->habits[postman->habit_count - 1].never = true;
}

void postman_be_kind(struct postman *postman)
{
    postman->habit_count = 0;
    postman->latency_ms = 0;
}

size_t postman_told(const struct postman *postman, const char *address)
{
    size_t count = 0;

    for (size_t i = 0; i < postman->letter_count; i++)
        count += postman->letters[i].taken && (!address || strcmp(postman->letters[i].address, address) == 0);
    return count;
}
