#include "zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments_ms[] = {INT64_MIN, -2208988800000, 0, 1774746000000, 4102444800000, INT64_MAX};
    struct zone *zone = zone_parse("Fuzz/Zone", (struct text){(const char *)data, size}, NULL);
    char name[16];
    enum zone_met met;

    for (size_t i = 0; zone && i < ARRAY_LEN(moments_ms); i++) {
        zone_to_utc(zone, zone_civil(zone, moments_ms[i]), &met);
        zone_abbreviation(zone, moments_ms[i], name, sizeof name);
    }
    zone_free(zone);
    return 0;
}
