/* brake.h - many refusals with one code are a fault of the message or of ours, not of the people (promise 10). Pure:
 * one answer after the other comes in. Zero bytes is a brake that has heard nothing. */
#ifndef ONSALE_BRAKE_H
#define ONSALE_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BRAKE_ROW = 20,     /* refusals in a row with one code, */
    BRAKE_WINDOW = 200, /* or half of the last so many */
};

struct brake {
    uint16_t last[BRAKE_WINDOW]; /* codes of what was answered last; 0 accepted */
    unsigned count, at;          /* how many are known; where the next one goes */
    unsigned row;                /* how many of the newest are refusals with one code */
};

/* Takes the next answer: the code of a refusal, or of what was put off once too often; 0 for an accepted one. True:
 * stop, this is everybody's, not theirs. */
bool brake_takes(struct brake *brake, int code);

#endif
