"""Filters, sorting and projection of Query Ticket Definitions (Wix Events, V3), as its reference page lists them."""

import datetime
from decimal import Decimal, InvalidOperation

RANGE = {"$eq", "$ne", "$in", "$nin", "$lt", "$lte", "$gt", "$gte", "$exists"}
PLAIN = {"$eq", "$ne", "$in", "$nin", "$exists"}
FIELDS = {name: RANGE for name in (
    "id", "eventId", "revision", "name", "description", "initialLimit", "pricingMethod.fixedPrice.value",
    "pricingMethod.fixedPrice.currency", "createdDate", "updatedDate")}
FIELDS.update({name: PLAIN for name in (
    "hidden", "feeType", "saleStatus", "pricingMethod.free", "pricingMethod.pricingType")})
DATES = {"createdDate", "updatedDate"}
OPTIONAL = {"SALES_DETAILS": "salesDetails", "EVENT_DETAILS": "eventDetails", "SEATING_DETAILS": "seatingDetails"}


class Violation(Exception):
    """A 400 with one field violation."""

    def __init__(self, field, description, rule="CUSTOM"):
        super().__init__(description)
        self.field, self.description, self.rule = field, description, rule


def parse_date(text):
    """An ISO time as (seconds, nanoseconds): the fraction has 0 to 9 digits."""
    if not isinstance(text, str) or not text.upper().endswith("Z"):
        raise ValueError(text)
    whole, _, fraction = text[:-1].partition(".")
    moment = datetime.datetime.strptime(whole.upper(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()), int((fraction or "0").ljust(9, "0")[:9])


def format_date(at_ms):
    moment = datetime.datetime.fromtimestamp(at_ms // 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (at_ms % 1000)


def lookup(item, path):
    for key in path.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return item


def comparable(path, value, field="query.filter"):
    """Values of one field are ordered as what they mean, not as text."""
    if value is None:
        return None
    try:
        if path in DATES:
            return parse_date(value)
        if path == "revision":
            return int(value)
        if path.endswith(".value"):
            return Decimal(value)
    except (ValueError, InvalidOperation, TypeError):
        raise Violation(field, "Failed to parse %r of %s" % (value, path), "FORMAT") from None
    return value.lower() if path in ("id", "eventId") and isinstance(value, str) else value


def test(path, operator, have, want):
    if operator == "$exists":
        return (have is not None) == want
    if operator in ("$in", "$nin"):
        if not isinstance(want, list):
            raise Violation("query.filter", "%s takes an array" % operator)
        inside = have in [comparable(path, one) for one in want]
        return inside == (operator == "$in")
    want = comparable(path, want)
    if operator in ("$eq", "$ne"):
        return (have == want) == (operator == "$eq")
    if have is None or want is None:
        return False
    return {"$lt": have < want, "$lte": have <= want, "$gt": have > want, "$gte": have >= want}[operator]


def matches(item, condition):
    if not isinstance(condition, dict):
        raise Violation("query.filter", "an object is expected")
    for key, value in condition.items():
        if key in ("$and", "$or"):
            if not isinstance(value, list):
                raise Violation("query.filter", "%s takes an array" % key)
            results = [matches(item, one) for one in value]
            good = all(results) if key == "$and" else any(results)
        elif key == "$not":
            good = not matches(item, value)
        elif key not in FIELDS:
            raise Violation("query.filter", "Field %s is not filterable" % key)
        else:
            good = field_matches(item, key, value)
        if not good:
            return False
    return True


def field_matches(item, path, value):
    if not isinstance(value, dict):
        value = {"$eq": value}
    if path in DATES and len(value) > 1:
        raise Violation("query.filter", "Expected a DateTime for %s" % path)
    for operator in value:
        if operator not in FIELDS[path]:
            raise Violation("query.filter", "Operator %s is not supported on %s" % (operator, path))
    have = comparable(path, lookup(item, path))
    return all([test(path, operator, have, want) for operator, want in value.items()])


def check_sort(sort):
    if not isinstance(sort, list) or len(sort) > 10:
        raise Violation("query.sort", "at most 10 items", "MAX_SIZE")
    for one in sort:
        if one.get("fieldName") not in FIELDS:
            raise Violation("query.sort", "Field %s is not sortable" % one.get("fieldName"))
        if one.get("order", "ASC") not in ("ASC", "DESC"):
            raise Violation("query.sort", "order value is required")


class Reversed:
    def __init__(self, key):
        self.key = key

    def __lt__(self, other):
        return other.key < self.key

    def __eq__(self, other):
        return other.key == self.key


def sort_key(item, sort):
    key = []
    for one in sort or [{"fieldName": "createdDate"}]:
        value = comparable(one["fieldName"], lookup(item, one["fieldName"]))
        part = (value is not None, value if value is not None else 0)
        key.append(Reversed(part) if one.get("order") == "DESC" else part)
    return tuple(key) + (item["id"],)


def check_fields(fields):
    if not isinstance(fields, list) or len(fields) > 5:
        raise Violation("fields", "at most 5 items", "MAX_SIZE")
    for field in fields:
        if field not in OPTIONAL:
            raise Violation("fields", "fields value is required", "CUSTOM")


def project(item, fields):
    """What the caller did not ask for is missing, not null."""
    hidden = {key for name, key in OPTIONAL.items() if name not in fields}
    return {key: value for key, value in item.items() if key not in hidden}
