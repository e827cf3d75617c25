"""One value before and after a rule, for the reviewer's eye: from the schema's example, or made up from type, format and name.

A sketch of the runtime's transforms on one value; what a package does is the runtime's business and its tests'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from ..api.model import Json
from .choose import Known
from .fields import View
from .model import Sample

_BY_ROLE: Mapping[str, Json] = {
    "email": "ada@example.com",
    "phone": "+1 555 0100",
    "url": "https://example.com/ada",
    "money": "19.90",
    "id": "1001",
    "code": "A-1",
}
_BY_CONCEPT: Mapping[str, Json] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "full_name": "Ada Lovelace",
    "city": "London",
    "country": "United Kingdom",
    "state": "England",
    "postal_code": "N1 9GU",
    "street": "12 St James's Square",
    "currency": "EUR",
    "tag": "vip, new",
    "company": "Example Ltd",
    "quantity": 3,
    "status": "active",
}
_MOMENT = "2024-03-09T18:32:05-05:00"


def example_for(view: View, known: Known, published: Json) -> Json:
    """A value that the field could have."""
    if published is not None:
        return published
    if known.enum:
        return known.enum[0]
    made = _made(view, known)
    return [made] if known.kind == "list" else made


def _made(view: View, known: Known) -> Json:
    kind = known.items if known.kind == "list" else known.kind
    if known.format == "date":
        return "2024-03-09"
    if known.format == "date-time":
        return _MOMENT
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return 1710027125 if "time" in view.roles else 3 if kind == "integer" else 19.9
    for concept in reversed(view.leaf.concepts):
        if concept in _BY_CONCEPT:
            return _BY_CONCEPT[concept]
    for role in ("email", "phone", "url", "money", "id", "code"):
        if role in view.roles:
            return _BY_ROLE[role]
    if "time" in view.roles:
        return _MOMENT
    if kind in ("object", "map"):
        return {}
    return view.leaf.words[-1] if view.leaf.words else "text"


def sample_of(transform: str, options: Mapping[str, Json], values: Sequence[Json]) -> Sample | None:
    """Before and after; None where the sketch has no answer."""
    before: Json = values[0] if len(values) == 1 else list(values)
    try:
        after = _after(transform, options, values)
    except (ValueError, TypeError, LookupError, InvalidOperation, OverflowError):
        return None
    return Sample(before=before, after=after)


def _after(transform: str, options: Mapping[str, Json], values: Sequence[Json]) -> Json:
    one = values[0] if values else None
    match transform:
        case "direct" | "mapping":
            return one
        case "constant":
            return options["value"]
        case "parse":
            return _number(one, options)
        case "stringify":
            return {True: "true", False: "false"}[one] if isinstance(one, bool) else str(one)
        case "parse_bool":
            return str(one).lower() in ("true", "yes", "y", "1", "on", "t")
        case "collect" | "split" if isinstance(one, str) and len(values) == 1:
            return [part.strip() for part in one.split(str(options["separator"])) if part.strip()]
        case "collect":
            return list(values) if len(values) > 1 else one
        case "join":
            parts = one if isinstance(one, list) else values
            return str(options["separator"]).join(str(part) for part in parts)
        case "wrap":
            return [one]
        case "first" if isinstance(one, list):
            return one[0]
        case "coalesce":
            return one
        case "enum" if isinstance(table := options["map"], dict):
            key = {True: "true", False: "false"}[one] if isinstance(one, bool) else str(one)
            return table[key]
        case "date":
            return _time(one, str(options.get("form", "iso8601")), str(options["to"]))
        case "custom" if options.get("function") == "parse_iso8601_to_date":
            return _time(one, "iso8601", "date")
        case "each" if isinstance(one, list):
            inner = {key: value for key, value in options.items() if key != "transform"}
            return [_after(str(options["transform"]), inner, [item]) for item in one]
        case _:
            raise LookupError(transform)


def _number(value: Json, options: Mapping[str, Json]) -> Json:
    number = Decimal(str(value))
    if options["to"] == "integer":
        return int(number)
    places = options.get("places")
    if isinstance(places, int):
        number = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return float(number)


def _time(value: Json, form: str, to: str) -> Json:
    if form in ("unix_s", "unix_ms"):
        seconds = float(str(value)) / (1000 if form == "unix_ms" else 1)
        moment = datetime.fromtimestamp(seconds, UTC)
    else:
        moment = datetime.fromisoformat(str(value))
    match to:
        case "date":
            return moment.date().isoformat()
        case "datetime":
            return moment.isoformat()
        case "unix_s" | "unix_ms":
            whole = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
            return whole * (1000 if to == "unix_ms" else 1)
        case _:
            return moment.strftime(to)
