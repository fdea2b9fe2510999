/* What a channel has in its hands: the order of its lists, and whose memory is whose. */
#include "channel_job.h"
#include "table.h"

#include <string.h>

/* Each case is told in steps: a digit is put at the end, one behind '<' goes back to the front, '-' takes the first,
 * '*' takes all and puts them back behind what has come meanwhile (nothing). What was taken comes before the bar, what
 * is left behind it. */
static void lists_keep_their_order(void **state)
{
    static const struct {
        const char *steps, *expected;
    } cases[] = {
        {"", "|"},
        {"-", "|"},
        {"123", "|123"},
        {"123--", "12|3"},
        {"1-2", "1|2"},
        {"1--23", "1|23"},
        {"<1", "|1"},
        {"<12", "|12"},
        {"12<3<4", "|4312"},
        {"12--<2<13", "12|123"}, /* a batch that was not taken: back in its order, and who comes then is behind it */
        {"1-<12-", "11|2"},
        {"123*4", "|1234"},
        {"*1", "|1"},
        {"1*-*23", "1|23"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct channel_job jobs[10] = {0}, *job;
        struct job_list list = {0}, all;
        char got[32] = "";
        size_t len = 0;
        for (const char *step = cases[i].steps; *step; step++) {
            if (*step == '-' && (job = job_list_take(&list)))
                got[len++] = (char)('0' + (job - jobs));
            else if (*step == '<')
                job_list_put_back(&list, &jobs[*++step - '0']);
            else if (*step == '*')
                for (all = job_list_take_all(&list); (job = job_list_take(&all));)
                    job_list_put(&list, job);
            else if (*step != '-')
                job_list_put(&list, &jobs[*step - '0']);
        }
        got[len++] = '|';
        while ((job = job_list_take(&list)))
            got[len++] = (char)('0' + (job - jobs));
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s, expected %s", cases[i].steps, got, cases[i].expected);
    }
}

static struct channel_job *take(struct jobs *jobs, struct channel_delivery *delivery, uint32_t seq, const char *message)
{
    buf_reset(&delivery->raw);
    buf_adds(&delivery->raw, message);
    delivery->seq = seq;
    return jobs_take(jobs, delivery);
}

/* The message goes to the job, and what an earlier one was written in comes back: a long sending makes none anew. */
static void memory_goes_round(void **state)
{
    struct jobs jobs = {0};
    char to[] = "ada@x.example";
    struct channel_delivery delivery = {.notice = 7, .attempt = 2, .to = to, .from = "", .token = "t1"};

    (void)state;
    buf_init(&delivery.raw, 1000);
    struct channel_job *first = take(&jobs, &delivery, 1, "one\r\n"), *second = take(&jobs, &delivery, 2, "two\r\n");
    const char *memory = first->raw.ptr;
    memset(to, 'x', 3); /* names were copied */
    assert_string_equal(first->out.to, "ada@x.example");
    assert_string_equal(first->out.from, "");
    assert_string_equal(first->out.token, "t1");
    assert_int_equal(first->out.raw_len, 5);
    assert_memory_equal(first->out.raw, "one\r\n", 5);
    assert_memory_equal(second->out.raw, "two\r\n", 5);
    assert_int_equal(first->result.notice, 7);
    assert_int_equal(first->result.attempt, 2);
    assert_int_equal(first->result.handed_over_at_ms, MOMENT_NONE);

    first->text = must_strdup("250 taken");
    jobs_give_back(&jobs, first);
    jobs_give_back(&jobs, second);
    assert_null(first->text);
    assert_int_equal(first->state, JOB_FREE);
    struct channel_job *third = take(&jobs, &delivery, 3, "three\r\n");
    assert_ptr_equal(third, first); /* the longest unused */
    assert_string_equal(third->out.to, "xxx@x.example");
    assert_int_equal(third->result.seq, 3);
    assert_ptr_equal(delivery.raw.ptr, memory);
    assert_int_equal(delivery.raw.len, 0);
    assert_int_equal(delivery.raw.limit, 1000);

    jobs_rest(&jobs); /* only those unused give theirs back */
    assert_null(second->raw.ptr);
    assert_memory_equal(third->out.raw, "three\r\n", 7);
    buf_clear(&delivery.raw);
    jobs_clear(&jobs);
    assert_null(jobs.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_keep_their_order),
        cmocka_unit_test(memory_goes_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
