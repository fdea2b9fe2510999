#include "brake.h"

bool brake_takes(struct brake *brake, int code)
{
    uint16_t before = brake->last[(brake->at + BRAKE_WINDOW - 1) % BRAKE_WINDOW];
    unsigned same = 0;

    if (code == 0)
        brake->row = 0;
    else
        brake->row = brake->count > 0 && before == code ? brake->row + 1 : 1;
    brake->last[brake->at] = (uint16_t)code;
    brake->at = (brake->at + 1) % BRAKE_WINDOW;
    brake->count += brake->count < BRAKE_WINDOW;
    if (code == 0)
        return false;
    for (unsigned i = 0; i < brake->count; i++)
        same += brake->last[i] == code;
    return brake->row >= BRAKE_ROW || (brake->count == BRAKE_WINDOW && same >= BRAKE_WINDOW / 2);
}
