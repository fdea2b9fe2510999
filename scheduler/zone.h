/* zone.h - local time of places, from the system's TZif files (RFC 8536). Immutable once loaded; any thread may read.
 * Policy for wall times: in a gap shift forward (02:30 becomes 03:30), in an overlap take the earlier one. */
#ifndef ONSALE_ZONE_H
#define ONSALE_ZONE_H

#include "clock.h"

struct zone;
enum zone_met { ZONE_PLAIN, ZONE_GAP, ZONE_OVERLAP };

/* Reads a zone by its IANA name from TZDIR, else /usr/share/zoneinfo. Names with "..", a leading '/' or anything but
 * letters, digits and "_+-/" are refused. NULL and `err` on failure. */
struct zone *zone_load(const char *name, struct error *err);
/* The same from bytes (tests, fuzzing). */
struct zone *zone_parse(const char *name, struct text tzif, struct error *err);
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);

int64_t zone_offset_ms(const struct zone *zone, int64_t at_ms); /* east of UTC is positive */
struct civil zone_civil(const struct zone *zone, int64_t at_ms);
int64_t zone_to_utc(const struct zone *zone, struct civil local, enum zone_met *met);
/* "EEST", or "+03" where the zone has no letters; `out` holds at least 16 bytes. */
void zone_abbreviation(const struct zone *zone, int64_t at_ms, char *out, size_t size);

/* Zones loaded once and kept until the end; loop thread. */
struct zones;
struct zones *zones_new(void);
void zones_free(struct zones *zones);
/* Borrowed until zones_free(); NULL when the name is unknown or "" (the failure is remembered too). */
const struct zone *zones_get(struct zones *zones, const char *name);

#endif
