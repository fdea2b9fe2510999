/* ledger.c - how fast the store is: people gathered, claims with their fates, beside the loop's longest pause.
 * Usage: ledger [PEOPLE [TURN]]. Prints figures; asserts nothing. */
#include "../tables/store_bench.h"

#include <time.h>

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void gather(struct bench *b, int64_t pass, unsigned people)
{
    double start = now_s();

    for (unsigned from = 1; from <= people; from += 1000)
        bench_gather(b, 1, pass, from, from + 999);
    printf("gathered, read %lld: %.0f people/s\n", (long long)pass, people / (now_s() - start));
}

int main(int argc, char **argv)
{
    unsigned people = argc > 1 ? (unsigned)atoi(argv[1]) / 1000 * 1000 : 100000;
    size_t turn = argc > 2 ? (size_t)atoi(argv[2]) : 400, count = 0, turns = 0;
    struct store_fate *fates = must_calloc(turn, sizeof *fates);
    struct bench b;
    double longest = 0;

    bench_init(&b);
    bench_open(&b);
    bench_add_notice(&b, 1);
    gather(&b, 1, people);
    gather(&b, 2, people);
    double start = now_s();
    do {
        struct store_claim claim = {.notice = 1, .want = turn, .pass = 2};
        double asked = now_s();
        bench_turn(&b, fates, count, &claim);
        bench_fine(&b);
        if (now_s() - asked > longest)
            longest = now_s() - asked;
        count = b.got_count;
        turns++;
        for (size_t i = 0; i < count; i++)
            fates[i] = (struct store_fate){
                .notice = 1, .seq = b.got[i].seq, .attempt = 1, .fate = FATE_ACCEPTED, .code = 250, .at_ms = DUE_MS};
    } while (count);
    double took = now_s() - start;
    printf("claimed and told: %.0f people/s in turns of %zu (%.2f ms each, longest %.2f ms)\n", people / took, turn,
           took * 1000 / (double)turns, longest * 1000);
    start = now_s();
    bench_audit(&b);
    printf("audit: %.2f s\n", now_s() - start);
    free(fates);
    bench_clear(&b);
    return 0;
}
