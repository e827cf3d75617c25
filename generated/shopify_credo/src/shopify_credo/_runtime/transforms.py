"""Conversions a mapper calls: text ↔ numbers, booleans, dates, enums; one per field and record, so they are plain and quick.

Missing stays missing and null stays null. A value that does not convert raises `MappingError`, which never quotes it.
Decimals never pass through float. Dates are counted and written in a named zone only when the rule names one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal, DecimalException
from functools import lru_cache
from typing import Literal, TypeAlias, TypeVar, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .records import MISSING
from .values import MAX_DIGITS, MappingError, digits, kind_of, mirror

R = TypeVar("R")

Rounding: TypeAlias = Literal["half_even", "half_up", "down", "up"]
Moment: TypeAlias = "str | int | Decimal | date | datetime"
"""A point in time as vendors write it: text, seconds or milliseconds since 1970, or already read."""

_ROUNDINGS = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP, "down": ROUND_DOWN, "up": ROUND_UP}
_EXACT = Context(prec=2 * MAX_DIGITS + 100)
_AMOUNT = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII).fullmatch


# --- numbers ----------------------------------------------------------------------------------------------------------


@overload
def to_decimal(
    value: str | int | Decimal, *, places: int | None = None, rounding: Rounding = "half_even"
) -> Decimal: ...
@overload
def to_decimal(  # type: ignore[overload-overlap]
    value: str | int | Decimal | None, *, places: int | None = None, rounding: Rounding = "half_even"
) -> Decimal | None: ...
@overload
def to_decimal(
    value: str | int | Decimal | MISSING, *, places: int | None = None, rounding: Rounding = "half_even"
) -> Decimal | MISSING: ...
@overload
def to_decimal(
    value: str | int | Decimal | None | MISSING, *, places: int | None = None, rounding: Rounding = "half_even"
) -> Decimal | None | MISSING: ...
def to_decimal(
    value: str | int | Decimal | None | MISSING, *, places: int | None = None, rounding: Rounding = "half_even"
) -> Decimal | None | MISSING:
    """The number, exact; with `places`, rounded to so many. Text may have blanks around it, no separators of thousands."""
    if type(value) is str and _AMOUNT(value) is not None:  # by far the most: nothing about it needs to be asked
        number = Decimal(value)
        if places is None or (places > 0 and value[-places - 1 : -places] == "."):
            return number  # it has so many already
        return number.quantize(_unit(places), _ROUNDINGS[rounding], _EXACT)
    if value is None or value is MISSING:
        return value
    if isinstance(value, bool):
        raise MappingError("`to_decimal`: a boolean is not a number")
    try:
        number = value if isinstance(value, Decimal) else _number(value)
    except (DecimalException, ValueError, TypeError):
        raise MappingError("`to_decimal`: the value is not a decimal number") from None
    if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        raise MappingError("`to_decimal`: the number is not finite or has too many digits")
    if places is None:
        return number
    try:
        return number.quantize(_unit(places), _ROUNDINGS[rounding], _EXACT)
    except DecimalException:
        raise MappingError("`to_decimal`: the number has too many digits") from None


@mirror
def to_integer(value: str | int | Decimal, *, rounding: Rounding | None = None) -> int:
    """The whole number. One with a fraction is refused unless `rounding` says what to do with it."""
    if isinstance(value, bool):
        raise MappingError("`to_integer`: a boolean is not a number")
    if isinstance(value, int):
        return value
    try:
        number = value if isinstance(value, Decimal) else _number(value)
    except (DecimalException, ValueError, TypeError):
        raise MappingError("`to_integer`: the value is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        raise MappingError("`to_integer`: the number is not finite or has too many digits")
    try:
        whole = number.to_integral_value(_ROUNDINGS[rounding or "half_even"], _EXACT)
    except DecimalException:
        raise MappingError("`to_integer`: the number has too many digits") from None
    if rounding is None and whole != number:
        raise MappingError("`to_integer`: the number has a fraction")
    return int(whole)


@lru_cache(maxsize=64)
def _unit(places: int) -> Decimal:
    """`0.01` for two places."""
    return Decimal((0, (1,), -places))


def _number(value: str | int) -> Decimal:
    if isinstance(value, str) and "_" in value:
        raise ValueError("Python reads underscores in numbers; nobody else does")
    return Decimal(value)


# --- text -------------------------------------------------------------------------------------------------------------


@mirror
def stringify(value: str | bool | int | Decimal | date, *, places: int | None = None) -> str:
    """The value as text: digits without exponent, `true`/`false`, dates in ISO 8601; with `places`, a number of so many."""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if places is not None and not isinstance(value, bool):
        return digits(to_decimal(value, places=places))
    return digits(value)


@mirror
def text(
    value: str | bool | int | Decimal,
    *,
    trim: bool = False,
    case: Literal["lower", "upper"] | None = None,
    max_length: int | None = None,
) -> str:
    """The value as text, then trimmed, then in one case, then cut at `max_length` characters."""
    result = value if isinstance(value, str) else digits(value)
    if trim:
        result = result.strip()
    if case is not None:
        result = result.lower() if case == "lower" else result.upper()
    return result if max_length is None else result[:max_length]


@mirror
def split(value: str, *, separator: str) -> list[str]:
    """The parts between separators, trimmed; empty ones are kept, an empty text has none."""
    kind_of(value, str, "split")
    return [part.strip() for part in value.split(separator)] if value else []


@overload
def split_part(value: str | MISSING, *, separator: str, part: int, rest: bool = False) -> str | MISSING: ...
@overload
def split_part(
    value: str | None | MISSING, *, separator: str, part: int, rest: bool = False
) -> str | None | MISSING: ...
def split_part(value: str | None | MISSING, *, separator: str, part: int, rest: bool = False) -> str | None | MISSING:
    """One part of a text, counted from 0 or back from -1; with `rest`, all from it on. Missing when there is no such part.

    `("Ada King Lovelace", separator=" ", part=0)` is `Ada`; `part=1, rest=True` is `King Lovelace`.
    """
    if value is MISSING or value is None:
        return value
    kind_of(value, str, "split_part")
    trimmed = value.strip()
    parts = trimmed.split(separator, part) if rest else trimmed.split(separator)
    if not -len(parts) <= part < len(parts):
        return MISSING
    return parts[part].strip() or MISSING


# --- closed sets ------------------------------------------------------------------------------------------------------

TRUE_WORDS = ("true", "yes", "y", "1", "on", "t")
FALSE_WORDS = ("false", "no", "n", "0", "off", "f")


@mirror
def to_bool(
    value: str | bool | int,
    *,
    true: Collection[str] = TRUE_WORDS,
    false: Collection[str] = FALSE_WORDS,
) -> bool:
    """True or false by the word for it, whatever its case; any other word is refused."""
    if value is True or value is False:
        return value
    word = (value if isinstance(value, str) else digits(value)).strip().lower()
    if word in true:
        return True
    if word in false:
        return False
    raise MappingError("`to_bool`: the value is none of the words for true and false")


@overload
def enum_map(value: str | bool | int, table: Mapping[str, R], *, default: R | None = None) -> R: ...
@overload
def enum_map(value: str | bool | int | None, table: Mapping[str, R], *, default: R | None = None) -> R | None: ...
@overload
def enum_map(value: str | bool | int | MISSING, table: Mapping[str, R], *, default: R | None = None) -> R | MISSING: ...
@overload
def enum_map(
    value: str | bool | int | None | MISSING, table: Mapping[str, R], *, default: R | None = None
) -> R | None | MISSING: ...
def enum_map(
    value: str | bool | int | None | MISSING, table: Mapping[str, R], *, default: R | None = None
) -> R | None | MISSING:
    """The table's word for a value; `default`, if there is one, for a value that is not in it."""
    if value is MISSING or value is None:
        return value
    word = value if isinstance(value, str) else digits(value)
    if word in table:
        return table[word]
    if default is not None:
        return default
    raise MappingError("`enum_map`: the value is not in the table")


# --- time -------------------------------------------------------------------------------------------------------------


@mirror
def to_date(value: Moment, *, form: str = "iso8601", read_as: str | None = None, zone: str | None = None) -> date:
    """The calendar day: as written, or in `zone` when one is named.

    Args:
        value: Text in `form`, or a number when `form` is `unix_s` or `unix_ms`.
        form: `iso8601`, `unix_s`, `unix_ms` or a pattern such as `%d/%m/%Y`.
        read_as: The zone of a text that names none.
        zone: The zone whose day is meant.
    """
    moment = _moment(value, form, read_as, "to_date")
    return (_in_zone(moment, zone, "to_date") if zone is not None else moment).date()


@mirror
def to_datetime(
    value: Moment, *, form: str = "iso8601", read_as: str | None = None, zone: str | None = None
) -> datetime:
    """The point in time, in `zone` when one is named; arguments as `to_date` has them."""
    moment = _moment(value, form, read_as, "to_datetime")
    return _in_zone(moment, zone, "to_datetime") if zone is not None else moment


@mirror
def to_unix(
    value: Moment,
    *,
    form: str = "iso8601",
    read_as: str | None = None,
    unit: Literal["s", "ms"] = "s",
) -> int:
    """Whole seconds or milliseconds since 1970-01-01 UTC, rounded down. A text without a zone needs `read_as`."""
    since = _in_zone(_moment(value, form, read_as, "to_unix"), "UTC", "to_unix") - _EPOCH
    return since // (_SECOND if unit == "s" else _MILLISECOND)


@mirror
def date_text(
    value: Moment,
    *,
    pattern: str,
    form: str = "iso8601",
    read_as: str | None = None,
    zone: str | None = None,
) -> str:
    """The point in time written by `pattern` (`%Y-%m-%d`); other arguments as `to_date` has them."""
    moment = _moment(value, form, read_as, "date_text")
    try:
        return (_in_zone(moment, zone, "date_text") if zone is not None else moment).strftime(pattern)
    except ValueError:
        raise MappingError("`date_text`: the time cannot be written in this form") from None


def parse_iso8601_to_date(text: str) -> date:
    """The calendar day of an ISO 8601 date or date-time, as written: no zone is applied."""
    try:
        return datetime.fromisoformat(text).date()
    except (ValueError, TypeError):
        pass  # blanks around it, a small `z`, or no time at all
    return _moment(text, "iso8601", None, "parse_iso8601_to_date").date()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_LEAP = re.compile(r"(T\d\d:\d\d):60(?!\d)")


def _moment(value: Moment, form: str, read_as: str | None, name: str) -> datetime:
    try:
        if isinstance(value, str):
            moment = _from_text(value.strip(), form)
        elif isinstance(value, datetime):
            moment = value
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day)
        elif isinstance(value, bool):
            raise MappingError(f"`{name}`: a boolean is not a time")
        else:
            moment = _from_number(value, form)
    except MappingError:
        raise
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        raise MappingError(f"`{name}`: the value is not a time in the form `{form}`") from None
    if moment.tzinfo is None and read_as is not None:
        return moment.replace(tzinfo=_zone(read_as, name))
    return moment


def iso_moment(text: str) -> datetime:
    """An ISO 8601 time. A leap second (`23:59:60`) is the second before it: the day stays. Raises ValueError."""
    try:
        return datetime.fromisoformat(text.upper() if text[-1:] == "z" else text)
    except ValueError:
        if ":60" not in text:
            raise
        return datetime.fromisoformat(_LEAP.sub(r"\1:59", text.upper(), count=1))


def _from_text(value: str, form: str) -> datetime:
    if form == "iso8601":
        return iso_moment(value)
    if form in ("unix_s", "unix_ms"):
        return _from_number(Decimal(value), form)
    return datetime.strptime(value, form)


def _from_number(value: int | Decimal, form: str) -> datetime:
    if form not in ("unix_s", "unix_ms"):
        raise ValueError("a number in a form for text")
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() > 15:
        raise OverflowError
    microseconds = number * (1_000_000 if form == "unix_s" else 1_000)
    return _EPOCH + timedelta(microseconds=int(microseconds))


def _in_zone(moment: datetime, zone: str, name: str) -> datetime:
    if moment.tzinfo is None:
        raise MappingError(f"`{name}`: the time names no zone and the rule does not say how to read it")
    try:
        return moment.astimezone(_zone(zone, name))
    except (OverflowError, ValueError):
        raise MappingError(f"`{name}`: the time is out of range") from None


@lru_cache(maxsize=64)
def _zone(zone: str, name: str) -> tzinfo:
    if zone == "UTC":
        return UTC
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MappingError(f"`{name}`: the zone `{zone}` is not known on this machine") from None
