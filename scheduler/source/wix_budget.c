#include "wix.h"

enum { REQUESTS_MAX = 100000 }; /* within one window */

/* The share of a rate that only the gate may use, at least 0. */
static int64_t reserved(const struct wix_budget *budget, const struct config_rate *rate)
{
    const struct config_rate *reserve = budget->reserve;

    return reserve ? reserve->count * rate->per_ms / reserve->per_ms : 0;
}

int wix_budget_init(struct wix_budget *budget, const struct site_settings *settings, struct error *err)
{
    const struct config_rates *rates = &settings->requests, *reserve = &settings->gate_reserve;

    *budget = (struct wix_budget){.rates = rates, .reserve = reserve->count > 0 ? &reserve->at[0] : NULL};
    if (budget->reserve && budget->reserve->count > REQUESTS_MAX)
        return error_set(err, ERROR_CONFIG, "gate_reserve: expected at most %d within one span", REQUESTS_MAX);
    for (size_t i = 0; i < rates->count; i++) {
        const struct config_rate *rate = &rates->at[i];
        if (rate->count < 1 || rate->count > REQUESTS_MAX || rate->per_ms < 1)
            return error_set(err, ERROR_CONFIG, "requests: expected at most %d within one span", REQUESTS_MAX);
        if (reserved(budget, rate) >= rate->count)
            return error_set(err, ERROR_CONFIG, "gate_reserve: must be less than requests, or nothing is left to walk");
        if ((size_t)rate->count > budget->size)
            budget->size = (size_t)rate->count;
    }
    budget->sent_at_ms = must_calloc(budget->size, sizeof *budget->sent_at_ms);
    return 0;
}

void wix_budget_clear(struct wix_budget *budget)
{
    free(budget->sent_at_ms);
    *budget = (struct wix_budget){0};
}

int64_t wix_budget_ready_at_ms(const struct wix_budget *budget, bool walk, int64_t now_ms)
{
    int64_t ready_at_ms = now_ms;

    for (size_t i = 0; i < budget->rates->count; i++) {
        const struct config_rate *rate = &budget->rates->at[i];
        uint64_t most = (uint64_t)(rate->count - (walk ? reserved(budget, rate) : 0));
        if (budget->sent < most)
            continue;
        int64_t at_ms = budget->sent_at_ms[(budget->sent - most) % budget->size] + rate->per_ms;
        if (at_ms > ready_at_ms)
            ready_at_ms = at_ms;
    }
    return ready_at_ms;
}

void wix_budget_take(struct wix_budget *budget, int64_t now_ms)
{
    if (budget->size > 0)
        budget->sent_at_ms[budget->sent++ % budget->size] = now_ms;
}
