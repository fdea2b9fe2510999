#!/usr/bin/env python3
"""Makes a world for the fake Wix server: N ticket definitions over M events, the same ones for the same seed.

    wix_world.py --definitions 1000 --events 40 --opens-at 2027-03-26T08:00:00Z > world.json

The sale of the first event's definitions opens at --opens-at; the other events open a day later each, a few are
hidden, cancelled, drafts, without dates or already over, as on a real site.
"""

import argparse
import json
import random
import time
import uuid

from wix_query import format_date, parse_date

DAY_MS = 86400000
CITIES = [("Helsinki", "Europe/Helsinki", "EUR"), ("New York", "America/New_York", "USD"),
          ("Sydney", "Australia/Sydney", "AUD"), ("Vilnius", "Europe/Vilnius", "EUR"), ("Tōkyō", "Asia/Tokyo", "JPY")]
NAMES = ["Early bird", "General admission", "Balcony", "Café seat", "Backstage", "Student", "Family", "Night pass"]


def event(rng, number, opens_at_ms, status="UPCOMING"):
    city, zone, currency = CITIES[number % len(CITIES)]
    starts_at_ms = opens_at_ms + 60 * DAY_MS
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "currency": currency,
        "details": {
            "title": "%s Nights %d" % (city, number), "shortDescription": "An evening in %s." % city,
            "location": {"name": "Hall %d" % number, "type": "VENUE", "locationTbd": False,
                         "address": {"city": city, "formattedAddress": "Street %d, %s" % (number, city)}},
            "dateAndTimeSettings": {"dateAndTimeTbd": False, "startDate": format_date(starts_at_ms),
                                    "endDate": format_date(starts_at_ms + DAY_MS // 8), "timeZoneId": zone,
                                    "recurrenceStatus": "ONE_TIME"},
            "eventPageUrl": {"base": "https://www.arena.example", "path": "/event-details/nights-%d" % number},
            "status": status}}


def definition(rng, happening, number, opens_at_ms, created_at_ms, **changes):
    changed = format_date(created_at_ms + rng.randrange(1000))
    stock = rng.choice([50, 150, 800])
    made = {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "eventId": happening["id"], "revision": "1",
        "createdDate": changed, "updatedDate": changed, "name": "%s %d" % (NAMES[number % len(NAMES)], number),
        "description": "Doors open an hour before.", "policyText": "", "hidden": False, "limited": True,
        "initialLimit": stock, "actualLimit": stock,
        "pricingMethod": {"fixedPrice": {"value": "%d.00" % rng.randrange(10, 90), "currency": happening["currency"]},
                          "pricingType": "STANDARD", "free": False},
        "feeType": "FEE_INCLUDED",
        "salePeriod": {"startDate": format_date(opens_at_ms), "endDate": format_date(opens_at_ms + 50 * DAY_MS),
                       "displayNotOnSale": True},
        "saleStatus": "SALE_SCHEDULED",
        "salesDetails": {"unsoldCount": stock, "soldCount": 0, "reservedCount": 0, "soldOut": False},
        "limitPerCheckout": 10, "extendedFields": {"namespaces": {}}, "sortIndex": number,
        "eventDetails": happening["details"]}
    made.update(changes)
    return made


def make(definitions=1000, events=40, opens_at_ms=None, created_at_ms=None, seed=1):
    """List of definitions; those of the first event open at opens_at_ms."""
    rng = random.Random(seed)
    opens_at_ms = opens_at_ms if opens_at_ms is not None else int(time.time()) * 1000 + 60000
    created_at_ms = created_at_ms if created_at_ms is not None else opens_at_ms - 30 * DAY_MS
    out = []
    statuses = {3: "CANCELED", 5: "DRAFT", 7: "ENDED"} if events > 8 else {}
    for number in range(events):
        happening = event(rng, number, opens_at_ms + number * DAY_MS, statuses.get(number, "UPCOMING"))
        for place in range(definitions // events + (number < definitions % events)):
            changes = {}
            if number > 0 and place % 9 == 4:
                changes["hidden"] = True
            if number > 0 and place % 11 == 6:
                changes["salePeriod"] = None
            out.append(definition(rng, happening, place, opens_at_ms + number * DAY_MS, created_at_ms, **changes))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--definitions", type=int, default=1000)
    parser.add_argument("--events", type=int, default=40)
    parser.add_argument("--opens-at", help="2027-03-26T08:00:00Z; default: in a minute")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    opens_at_ms = parse_date(args.opens_at)[0] * 1000 if args.opens_at else None
    print(json.dumps({"ticketDefinitions": make(args.definitions, args.events, opens_at_ms, seed=args.seed)}, indent=1))


if __name__ == "__main__":
    main()
