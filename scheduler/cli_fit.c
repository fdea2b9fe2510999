#include "cli_fit.h"

enum {
    COMFORT = 24
}; /* a title that is cut to so much still says what it is; columns are left out before it is cut further */

/* One way to make it narrower, each gentler than the next. */
static const struct step {
    enum fit_form form;
    bool leave_out, cut_far;
} steps[] = {
    {FIT_WHOLE, false, false},   {FIT_WHOLE, true, false}, {FIT_SHORT, true, false},
    {FIT_SHORTEST, true, false}, {FIT_SHORT, true, true},  {FIT_SHORTEST, true, true},
};

static size_t least_of(const struct fit_column *column, const struct step *step)
{
    size_t whole = column->widths[column->form], least = column->least;

    if (!least || least > whole)
        return whole;
    if (step->cut_far || whole <= COMFORT)
        return step->cut_far ? least : whole;
    return least > COMFORT ? least : COMFORT;
}

/* Everything as narrow as the step has it; how wide that is. */
static size_t squeeze(struct fit_column *columns, size_t count, const struct step *step)
{
    size_t sum = 0, shown = 0;

    for (size_t i = 0; i < count; i++) {
        struct fit_column *column = &columns[i];
        column->left_out = step->leave_out && column->idle;
        column->form = step->form;
        column->width = column->left_out ? 0 : least_of(column, step);
        sum += column->width;
        shown += !column->left_out;
    }
    return sum + (shown ? FIT_GAP * (shown - 1) : 0);
}

/* What room is left goes, character by character, to the narrowest that was cut: short titles are whole first. */
static void widen(struct fit_column *columns, size_t count, size_t room)
{
    for (; room > 0; room--) {
        struct fit_column *narrowest = NULL;
        for (size_t i = 0; i < count; i++)
            if (!columns[i].left_out && columns[i].width < columns[i].widths[columns[i].form] &&
                (!narrowest || columns[i].width < narrowest->width))
                narrowest = &columns[i];
        if (!narrowest)
            return;
        narrowest->width++;
    }
}

bool fit_columns(struct fit_column *columns, size_t count, size_t room)
{
    size_t width = 0;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        width = squeeze(columns, count, &steps[i]);
        if (width > room)
            continue;
        widen(columns, count, room - width);
        return true;
    }
    return false;
}
