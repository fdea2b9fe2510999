#include "source.h"

const char *const source_kinds[] = {[SOURCE_WIX] = "wix", [SOURCE_FILE] = "file", NULL};

#define AT(field) offsetof(struct site_settings, field)

static const struct config_option feed_options[] = {
    {"public", CONFIG_BOOL, AT(feed.public), .fallback = "true"},
    {"name", CONFIG_TEXT, AT(feed.name), .fallback = ""},
    {"alarm", CONFIG_SPAN, AT(feed.alarm_ms), .fallback = "10m", .min = 0, .max = 30 * (int64_t)DAY_MS},
    {"refresh", CONFIG_SPAN, AT(feed.refresh_ms), .fallback = "1h", .min = MINUTE_MS, .max = 30 * (int64_t)DAY_MS},
    {"keep", CONFIG_SPAN, AT(feed.keep_ms), .fallback = "7d", .min = HOUR_MS, .max = 365 * (int64_t)DAY_MS},
    {"keep_past", CONFIG_SPAN, AT(feed.keep_past_ms), .fallback = "30d", .min = HOUR_MS, .max = 3650 * (int64_t)DAY_MS},
    {0},
};

const struct config_option site_options[] = {
    {"", CONFIG_PLACE, AT(place)},
    {"name", CONFIG_TEXT, AT(name), .required = true},
    {"source", CONFIG_WORD, AT(source), .required = true, .words = source_kinds},
    {"base_url", CONFIG_TEXT, AT(base_url), .fallback = "https://www.wixapis.com", .only = "wix"},
    {"site_id", CONFIG_TEXT, AT(site_id), .fallback = "", .only = "wix"},
    {"account_id", CONFIG_TEXT, AT(account_id), .fallback = "", .only = "wix"},
    {"api_key", CONFIG_SECRET, AT(api_key), .fallback = "", .only = "wix"},
    {"client_id", CONFIG_TEXT, AT(client_id), .fallback = "", .only = "wix"},
    {"client_secret", CONFIG_SECRET, AT(client_secret), .fallback = "", .only = "wix"},
    {"instance_id", CONFIG_TEXT, AT(instance_id), .fallback = "", .only = "wix"},
    {"webhook_key_file", CONFIG_PATH, AT(webhook_key_file), .fallback = "", .only = "wix"},
    {"path", CONFIG_PATH, AT(path), .fallback = "", .only = "file"},
    {"poll_every", CONFIG_SPAN, AT(poll_every_ms), .fallback = "60s", .min = SECOND_MS, .max = DAY_MS},
    {"full_walk_every", CONFIG_SPAN, AT(full_walk_every_ms), .fallback = "1h", .min = SECOND_MS, .max = 7 * DAY_MS},
    {"time_zone", CONFIG_TEXT, AT(time_zone), .fallback = ""},
    {"language", CONFIG_TEXT, AT(language), .fallback = "en"},
    {"requests", CONFIG_RATES, AT(requests), .fallback = "200/min", .only = "wix"},
    {"gate_reserve", CONFIG_RATES, AT(gate_reserve), .fallback = "60/min", .only = "wix"},
    {"timeout", CONFIG_SPAN, AT(timeout_ms), .fallback = "20s", .min = 100, .max = 5 * MINUTE_MS},
    {"feed", CONFIG_SECTION, 0, .inside = feed_options},
    {0},
};
