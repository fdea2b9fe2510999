/* postman.h - behind the desk of a story: notes down every message that reaches it, apart from everything the daemon
 * keeps, and answers as the story says. */
#ifndef ONSALE_REPLAY_POSTMAN_H
#define ONSALE_REPLAY_POSTMAN_H

#include "alarm.h"
#include "desk.h"

struct postman_letter {
    char address[128], token[64];
    char from[128], subject[128]; /* as its header says */
    int64_t at_ms;
    bool taken; /* the person has it; else it was refused or put off */
};

struct postman_habit { /* how an address (a glob) is answered; the last one that fits counts */
    char address[128];
    struct notifier_result answer;
    bool never;    /* it hangs: taken, and not answered before the end */
    int64_t times; /* so often, then it is forgotten; below 0: always */
};

struct postman {
    struct desk desk; /* first */
    const struct clock *clock;
    struct alarms *alarms; /* of the world that runs now */
    int64_t latency_ms, window, never_before_ms;
    struct postman_letter *letters; /* in the order of their coming */
    size_t letter_count, letter_cap;
    struct postman_habit *habits;
    size_t habit_count;
    struct postman_job *jobs; /* taken over, not answered yet */
    char complaint[256];      /* what must never happen, and did; "" nothing */
};

void postman_init(struct postman *postman, const struct clock *clock);
void postman_clear(struct postman *postman);
/* Somebody set the machine's clock: letters take as long as they do. */
void postman_clock_stepped(struct postman *postman, int64_t step_ms);
/* The world went down: who has not been answered never will be. */
void postman_forget_jobs(struct postman *postman);
void postman_habit(struct postman *postman, const char *address, const struct notifier_result *answer, int64_t times);
void postman_hang(struct postman *postman, const char *address, int64_t times);
void postman_be_kind(struct postman *postman); /* no habits, no latency */
/* Messages that an address, or with NULL everybody, has. */
size_t postman_told(const struct postman *postman, const char *address);

#endif
