"""A proved rule → one value before and after, for a reviewer's eye.

The value before is the vendor's example, or made up from the field's type. The value after is what the package's transforms make of
it: said again here in a few lines, since a compiler does not run what it copies, and held to them by a test. Where the result is not
certain (a function of somebody else, a zone that this machine may not know) there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, DecimalException
from typing import Any

from ..api.model import Json, Type
from ..api.paths import EACH
from .fits import unfit
from .model import CheckedRule, End, Reached, Shape, Spelling, lists_of
from .shapes import shape_of

_MOMENT = "2024-03-09T18:32:05-05:00"
_BY_FORMAT: Mapping[str, Json] = {
    "date": "2024-03-09",
    "date-time": _MOMENT,
    "time": "18:32:05",
    "email": "ada@example.com",
    "uri": "https://example.com/ada",
    "url": "https://example.com/ada",
    "uuid": "5f2c6a9e-2b7d-4a55-9c43-0d8f5e0c7a11",
    "decimal": "19.90",
}
_MOST = 120
"""Characters of a value that are shown."""
_ROUNDINGS = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP, "down": ROUND_DOWN, "up": ROUND_UP}
_TRUE, _FALSE = ("true", "yes", "y", "1", "on", "t"), ("false", "no", "n", "0", "off", "f")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_TO_DATE = "parse_iso8601_to_date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Values of the sources, in order, and the value that the rule makes of them, as text that a person reads."""

    before: tuple[str, ...]
    after: str

    def __str__(self) -> str:
        return f"{', '.join(self.before)} → {self.after}" if self.before else self.after


class _Unknown(Exception):
    """What comes out is not certain."""


def sample_of(checked: CheckedRule, source: End) -> Sample | None:
    """One value before and after; None where the result is not certain."""
    depth = len(checked.loops)
    values = [_example(one, depth, source.types) for one in checked.sources]
    for tried in (values, _fitting(checked.spelling, values)):
        try:
            after = computed(checked.spelling, tried)
        except (_Unknown, ValueError, TypeError, LookupError, ArithmeticError):
            continue
        return Sample(before=tuple(shown(value) for value in tried), after=shown(after))
    return None


def _fitting(spelling: Spelling, values: Sequence[Any]) -> list[Any]:
    """Made-up text becomes such text as the transform takes: a number, a word of its table, a time in its form."""
    if len(values) != 1 or not isinstance(values[0], str):
        return list(values)
    options: Mapping[str, Any] = dict(spelling.keywords)
    match spelling.function:
        case "to_decimal":
            return ["19.90"]
        case "to_integer":
            return ["42"]
        case "to_bool":
            return [next(iter(options.get("true", _TRUE)))]
        case "enum_map" if isinstance(spelling.first, dict):
            return [next(iter(spelling.first))]
        case "to_date" | "to_datetime" | "to_unix" | "date_text" if "%" in str(options.get("form", "")):
            return [datetime(2024, 3, 9, 18, 32, 5, tzinfo=UTC).strftime(options["form"])]
        case "to_date" | "to_datetime" | "to_unix" | "date_text" if options.get("form") in ("unix_s", "unix_ms"):
            return ["1710027125" if options["form"] == "unix_s" else "1710027125000"]
        case "to_date" | "to_datetime" | "to_unix" | "date_text" | "apply":
            return [_MOMENT]
        case _:
            return list(values)


def shown(value: object) -> str:
    """As JSON on one line, cut where it is long; decimals with all their digits, times as text."""
    text = _spelled(value)
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def _spelled(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list):
        return f"[{', '.join(_spelled(item) for item in value)}]"
    return json.dumps(value.isoformat() if isinstance(value, date) else value, ensure_ascii=False)


def example_of(reached: Reached, types: Mapping[str, Type]) -> Json:
    """The vendor's example of a field when it is one; else a value of its type."""
    field = reached.steps[-1].field
    if field is not None and field.example is not None and unfit(field.example, reached.type, types) is None:
        return field.example
    return _made(shape_of(reached.type, types), reached)


def _example(reached: Reached, depth: int, types: Mapping[str, Type]) -> Json:
    """As seen from inside `depth` loops: a field of a list that no loop walks through is a list."""
    value = example_of(reached, types)
    for _ in range(len(lists_of(reached.path)) - depth):
        value = [value]
    return value


def _made(shape: Shape, reached: Reached) -> Json:
    if shape.enum:
        return shape.enum[0]
    match shape.kind:
        case "boolean":
            return True
        case "integer":
            return 3
        case "number":
            return 19.9
        case "list":
            return [] if shape.items is None else [_made(shape.items, reached)]
        case "map" | "object":
            return {}
        case "any":
            return "a value"
    if shape.format is not None and shape.format in _BY_FORMAT:
        return _BY_FORMAT[shape.format]
    leaf = next((str(segment) for segment in reversed(reached.path) if segment is not EACH), "")
    words = leaf.replace("_", " ").replace("-", " ").strip()
    made = words or "text"
    return made if shape.max_length is None else made[: shape.max_length]


# --- what the transforms make of a value ------------------------------------------------------------------------------


def computed(spelling: Spelling, values: Sequence[Any]) -> Any:
    """What the runtime makes of values that are there. Raises ValueError, and other ordinary errors, where it would refuse them."""
    if spelling.style == "none":
        return values[0] if values else spelling.constant
    options: dict[str, Any] = dict(spelling.keywords)
    one: Any = values[0] if values else None
    match spelling.function:
        case "to_decimal":
            return _decimal(one, options)
        case "to_integer":
            return _integer(one, options.get("rounding"))
        case "stringify":
            return _text_of(one if options.get("places") is None or isinstance(one, bool) else _decimal(one, options))
        case "text":
            return _text(_text_of(one), options)
        case "to_bool":
            return _bool(one, options)
        case "collect":
            parts = one if isinstance(one, list) else [part.strip() for part in one.split(options["separator"])]
            return [part for part in parts if part is not None and (part != "" or isinstance(one, list))]
        case "collect_fields":
            return [value for value in values if value is not None]
        case "enum_map":
            return _enum(one, spelling.first, options)
        case "split":
            return [part.strip() for part in one.split(options["separator"])] if one else []
        case "split_part":
            return _part(one, options)
        case "join":
            return options["separator"].join([_text_of(item) for item in one if item is not None])
        case "join_fields":
            return options["separator"].join([text for value in values if (text := _text_of(value))])
        case "template":
            return _template(str(spelling.first), dict(zip(spelling.names, values, strict=True)))
        case "to_date" | "to_datetime" | "to_unix" | "date_text":
            return _time(spelling.function, one, options)
        case "each" if spelling.item is not None:
            return [None if item is None else computed(spelling.item, [item]) for item in one]
        case "coalesce":
            return one
        case "first":
            return one[0]
        case "wrap":
            return [one]
        case "apply" if spelling.callee is not None and spelling.callee.name == _ISO_TO_DATE and not options:
            return _moment(one, "iso8601").date()
        case _:
            raise _Unknown


def _decimal(value: Any, options: Mapping[str, Any]) -> Decimal:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ValueError
    number = Decimal(str(value) if isinstance(value, float) else value)
    places = options.get("places")
    return number if places is None else number.quantize(Decimal(1).scaleb(-places), _rounding(options.get("rounding")))


def _integer(value: Any, rounding: str | None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _decimal(value, {})
    whole = number.to_integral_value(_rounding(rounding))
    if rounding is None and whole != number:
        raise ValueError
    return int(whole)


def _rounding(name: str | None) -> str:
    return _ROUNDINGS[name or "half_even"]


def _text_of(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return format(Decimal(str(value)), "f")
        case Decimal():
            return format(value, "f")
        case int():
            return str(value)
        case date():
            return value.isoformat()
        case _:
            raise _Unknown


def _text(value: str, options: Mapping[str, Any]) -> str:
    if options.get("trim"):
        value = value.strip()
    match options.get("case"):
        case "lower":
            value = value.lower()
        case "upper":
            value = value.upper()
    return value if options.get("max_length") is None else value[: options["max_length"]]


def _bool(value: Any, options: Mapping[str, Any]) -> bool:
    if isinstance(value, bool):
        return value
    word = _text_of(value).strip().lower()
    if word in options.get("true", _TRUE):
        return True
    if word in options.get("false", _FALSE):
        return False
    raise ValueError


def _enum(value: Any, table: Any, options: Mapping[str, Any]) -> Any:
    word = _text_of(value)
    if word not in table and options.get("default") is not None:
        return options["default"]
    return table[word]


def _part(value: str, options: Mapping[str, Any]) -> str:
    part, rest = options["part"], options.get("rest", False)
    parts = value.strip().split(options["separator"], part if rest else -1)
    found: str = parts[part].strip()
    if not found:
        raise _Unknown
    return found


def _template(text: str, parts: Mapping[str, Any]) -> str:
    out, at = "", 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            out, at = out + text[at], at + 2
        elif text[at] == "{":
            end = text.index("}", at)
            out, at = out + _text_of(parts[text[at + 1 : end]]), end + 1
        else:
            out, at = out + text[at], at + 1
    return out


def _time(function: str, value: Any, options: Mapping[str, Any]) -> Any:
    moment = _moment(value, options.get("form", "iso8601"))
    if moment.tzinfo is None and options.get("read_as") is not None:
        moment = _zoned(moment.replace(tzinfo=UTC), options["read_as"])
    if options.get("zone") is not None:
        moment = _zoned(moment, options["zone"])
    match function:
        case "to_date":
            return moment.date()
        case "to_datetime":
            return moment
        case "date_text":
            return moment.strftime(options["pattern"])
        case _:
            step = timedelta(milliseconds=1) if options.get("unit") == "ms" else timedelta(seconds=1)
            if moment.tzinfo is None:
                raise ValueError
            return (moment - _EPOCH) // step


def _zoned(moment: datetime, zone: str) -> datetime:
    """Only in UTC: what other zones are is this machine's knowledge, and a compiled page says the same on each."""
    if zone != "UTC" or moment.tzinfo is None:
        raise _Unknown
    return moment.astimezone(UTC)


def _moment(value: Any, form: str) -> datetime:
    if form in ("unix_s", "unix_ms"):
        try:
            microseconds = Decimal(str(value)) * (1_000_000 if form == "unix_s" else 1_000)
        except DecimalException:
            raise ValueError from None
        return _EPOCH + timedelta(microseconds=int(microseconds))
    if not isinstance(value, str):
        raise _Unknown
    return datetime.fromisoformat(value.strip()) if form == "iso8601" else datetime.strptime(value.strip(), form)
