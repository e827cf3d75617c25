"""What a mapper says about absent values and structure: policies, objects within objects, lists, several fields into one.

Missing and null travel through: missing in, missing out; null in, null out. A policy is the only place where either turns
into something else. Nothing here puts a value into an error message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from .records import MISSING, Record

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
M = TypeVar("M", bound=Record)
V = TypeVar("V", bound="str | int | Decimal | date | Record | Sequence[Any] | Mapping[str, Any]")
"""A value that is there: by its bound neither missing nor null."""
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class MappingError(ValueError):
    """A record that cannot be mapped. Names the transform or field and the kind of value, never the value."""


class Mirror(Protocol[T_contra, P, R_co]):
    """A transform of one value by which missing stays missing and null stays null; the result's type says which can be."""

    @overload
    def __call__(self, value: T_contra, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, value: T_contra | None, /, *args: P.args, **kwargs: P.kwargs) -> R_co | None: ...
    @overload
    def __call__(self, value: T_contra | MISSING, /, *args: P.args, **kwargs: P.kwargs) -> R_co | MISSING: ...
    @overload
    def __call__(
        self, value: T_contra | None | MISSING, /, *args: P.args, **kwargs: P.kwargs
    ) -> R_co | None | MISSING: ...


def mirror(transform: Callable[Concatenate[T, P], R]) -> Mirror[T, P, R]:
    """Let a transform of a value pass missing and null by."""

    @wraps(transform)
    def mirrored(value: T | None | MISSING, /, *args: P.args, **kwargs: P.kwargs) -> R | None | MISSING:
        return value if value is None or value is MISSING else transform(value, *args, **kwargs)

    return cast("Mirror[T, P, R]", mirrored)


# --- policies ---------------------------------------------------------------------------------------------------------


def required(value: V | None | MISSING, field: str) -> V:
    """The value; a record without it, or with a null there, cannot be mapped."""
    if value is MISSING:
        raise MappingError(f"`{field}` is required and its source is missing")
    if value is None:
        raise MappingError(f"`{field}` is required and its source is null")
    return value


@overload
def not_missing(value: V | MISSING, field: str) -> V: ...
@overload
def not_missing(value: V | None | MISSING, field: str) -> V | None: ...
def not_missing(value: V | None | MISSING, field: str) -> V | None:
    """The value or null; a record without it cannot be mapped."""
    if value is MISSING:
        raise MappingError(f"`{field}` is required and its source is missing")
    return value


@overload
def not_null(value: V | None, field: str) -> V: ...
@overload
def not_null(value: V | None | MISSING, field: str) -> V | MISSING: ...
def not_null(value: V | None | MISSING, field: str) -> V | MISSING:
    """The value or missing; a record with a null there cannot be mapped."""
    if value is None:
        raise MappingError(f"`{field}` may not be null and its source is")
    return value


@overload
def if_missing(value: V | MISSING, default: V) -> V: ...
@overload
def if_missing(value: V | None | MISSING, default: V) -> V | None: ...
def if_missing(value: V | None | MISSING, default: V) -> V | None:
    """The value or null, and `default` for a missing one."""
    return default if value is MISSING else value


@overload
def if_null(value: V | None, default: V) -> V: ...
@overload
def if_null(value: V | None | MISSING, default: V) -> V | MISSING: ...
def if_null(value: V | None | MISSING, default: V) -> V | MISSING:
    """The value or missing, and `default` for a null."""
    return default if value is None else value


def null_as_missing(value: V | None | MISSING) -> V | MISSING:
    """The value, and missing for a null: the destination keeps what it has."""
    return MISSING if value is None else value


# --- functions of plugins and of custom/ ------------------------------------------------------------------------------


@overload
def apply(function: Callable[Concatenate[T, P], R], value: T, *args: P.args, **kwargs: P.kwargs) -> R: ...
@overload
def apply(function: Callable[Concatenate[T, P], R], value: T | None, *args: P.args, **kwargs: P.kwargs) -> R | None: ...
@overload
def apply(
    function: Callable[Concatenate[T, P], R], value: T | MISSING, *args: P.args, **kwargs: P.kwargs
) -> R | MISSING: ...
@overload
def apply(
    function: Callable[Concatenate[T, P], R], value: T | None | MISSING, *args: P.args, **kwargs: P.kwargs
) -> R | None | MISSING: ...
def apply(
    function: Callable[Concatenate[T, P], R], value: T | None | MISSING, *args: P.args, **kwargs: P.kwargs
) -> R | None | MISSING:
    """Call a registered function with a value that is there; missing and null pass it by."""
    if value is MISSING or value is None:
        return value
    try:
        return function(value, *args, **kwargs)
    except MappingError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        raise _refused(function, error) from None


@overload
def combine(
    function: Callable[Concatenate[A, B, P], R],
    a: A | None | MISSING,
    b: B | None | MISSING,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R | None | MISSING: ...
@overload
def combine(
    function: Callable[Concatenate[A, B, C, P], R],
    a: A | None | MISSING,
    b: B | None | MISSING,
    c: C | None | MISSING,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R | None | MISSING: ...
def combine(function: Callable[..., R], /, *values: object, **options: object) -> R | None | MISSING:
    """Call a registered function with several values: missing when one is missing, else null when one is null."""
    if any(value is MISSING for value in values):
        return MISSING
    if any(value is None for value in values):
        return None
    try:
        return function(*values, **options)
    except MappingError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        raise _refused(function, error) from None


def _refused(function: Callable[..., object], error: Exception) -> MappingError:
    name = getattr(function, "__name__", "a custom function")
    return MappingError(f"`{name}` refused the value ({type(error).__name__})")


# --- objects ----------------------------------------------------------------------------------------------------------


@overload
def within(value: T, pick: Callable[[T], R]) -> R: ...
@overload
def within(value: T | None, pick: Callable[[T], R]) -> R | None: ...
@overload
def within(value: T | MISSING, pick: Callable[[T], R]) -> R | MISSING: ...
@overload
def within(value: T | None | MISSING, pick: Callable[[T], R]) -> R | None | MISSING: ...
def within(value: T | None | MISSING, pick: Callable[[T], R]) -> R | None | MISSING:
    """What `pick` finds in an object that is there. A null object makes what is in it null."""
    return value if value is MISSING or value is None else pick(value)


def present(model: M) -> M | MISSING:
    """The object, or missing when all its fields are: an empty object is not sent."""
    for value in model.__dict__.values():
        if value is not MISSING:
            return model
    return MISSING


# --- lists ------------------------------------------------------------------------------------------------------------


@overload
def each(value: Sequence[T | None], pick: Callable[[T], R | None | MISSING]) -> list[R]: ...
@overload
def each(value: Sequence[T | None] | None, pick: Callable[[T], R | None | MISSING]) -> list[R] | None: ...  # type: ignore[overload-overlap]
@overload
def each(value: Sequence[T | None] | MISSING, pick: Callable[[T], R | None | MISSING]) -> list[R] | MISSING: ...
@overload
def each(
    value: Sequence[T | None] | None | MISSING, pick: Callable[[T], R | None | MISSING]
) -> list[R] | None | MISSING: ...
def each(
    value: Sequence[T | None] | None | MISSING, pick: Callable[[T], R | None | MISSING]
) -> list[R] | None | MISSING:
    """What `pick` finds in each item. Null items, and items in which it finds nothing, are left out."""
    if value is MISSING or value is None:
        return value
    kind_of(value, list, "each")
    found = [pick(item) for item in value if item is not None]
    return [item for item in found if item is not None and item is not MISSING]


@overload
def first(value: Sequence[T] | MISSING) -> T | MISSING: ...
@overload
def first(value: Sequence[T] | None | MISSING) -> T | None | MISSING: ...
def first(value: Sequence[T] | None | MISSING) -> T | None | MISSING:
    """The first item; an empty list has none, so the result is missing."""
    if value is MISSING or value is None:
        return value
    kind_of(value, list, "first")
    return value[0] if value else MISSING


@overload
def wrap(value: V) -> list[V]: ...
@overload
def wrap(value: V | None) -> list[V] | None: ...  # type: ignore[overload-overlap]
@overload
def wrap(value: V | MISSING) -> list[V] | MISSING: ...
@overload
def wrap(value: V | None | MISSING) -> list[V] | None | MISSING: ...
def wrap(value: V | None | MISSING) -> list[V] | None | MISSING:
    """A list of the one value."""
    return value if value is MISSING or value is None else [value]


@overload
def collect(value: str, *, separator: str) -> list[str]: ...
@overload
def collect(value: str | None, *, separator: str) -> list[str] | None: ...  # type: ignore[overload-overlap]
@overload
def collect(value: str | MISSING, *, separator: str) -> list[str] | MISSING: ...
@overload
def collect(value: str | None | MISSING, *, separator: str) -> list[str] | None | MISSING: ...
@overload
def collect(value: Sequence[T | None]) -> list[T]: ...
@overload
def collect(value: Sequence[T | None] | None) -> list[T] | None: ...  # type: ignore[overload-overlap]
@overload
def collect(value: Sequence[T | None] | MISSING) -> list[T] | MISSING: ...
@overload
def collect(value: Sequence[T | None] | None | MISSING) -> list[T] | None | MISSING: ...
def collect(value: Sequence[T | None] | str | None | MISSING, *, separator: str | None = None) -> object:
    """A list of the items that are not null; a text is cut at `separator`, its parts trimmed and empty ones left out."""
    if value is MISSING or value is None:
        return value
    if isinstance(value, str):
        return list(filter(None, map(str.strip, value.split(separator))))
    kind_of(value, list, "collect")
    return [item for item in value if item is not None]


@overload
def collect_fields(*values: V) -> list[V]: ...
@overload
def collect_fields(*values: V | None) -> list[V] | None: ...  # type: ignore[overload-overlap]
@overload
def collect_fields(*values: V | MISSING) -> list[V] | MISSING: ...
@overload
def collect_fields(*values: V | None | MISSING) -> list[V] | None | MISSING: ...
def collect_fields(*values: V | None | MISSING) -> list[V] | None | MISSING:
    """A list of the fields that have a value; without any it is null when one is null, else missing."""
    found = [value for value in values if value is not None and value is not MISSING]
    return found or _absent(values)


# --- several fields into one ------------------------------------------------------------------------------------------


@overload
def coalesce(a: A | None | MISSING, last: T, /) -> A | T: ...
@overload
def coalesce(a: A | None | MISSING, b: B | None | MISSING, last: T, /) -> A | B | T: ...
@overload
def coalesce(a: A | None | MISSING, b: B | None | MISSING, c: C | None | MISSING, last: T, /) -> A | B | C | T: ...
@overload
def coalesce(*values: T | None | MISSING) -> T | None | MISSING: ...
def coalesce(*values: object) -> object:
    """The first field that has a value; without any, the last one as it is."""
    for value in values:
        if value is not None and value is not MISSING:
            return value
    return values[-1]


@overload
def join_fields(*values: str | int | Decimal, separator: str) -> str: ...
@overload
def join_fields(*values: str | int | Decimal | None, separator: str) -> str | None: ...  # type: ignore[overload-overlap]
@overload
def join_fields(*values: str | int | Decimal | MISSING, separator: str) -> str | MISSING: ...
@overload
def join_fields(*values: str | int | Decimal | None | MISSING, separator: str) -> str | None | MISSING: ...
def join_fields(*values: str | int | Decimal | None | MISSING, separator: str) -> str | None | MISSING:
    """The fields that have a value and are not empty, as one text; without any, null when one is null, else missing."""
    found = [
        value if isinstance(value, str) else digits(value)
        for value in values
        if value is not None and value is not MISSING
    ]
    filled = [text for text in found if text]
    if filled:
        return separator.join(filled)
    return "" if found else _absent(values)


@mirror
def join(value: Sequence[str | int | Decimal | None], *, separator: str) -> str:
    """The items of a list that are not null, as one text."""
    kind_of(value, list, "join")
    return separator.join([item if isinstance(item, str) else digits(item) for item in value if item is not None])


@overload
def template(text: str, /, **parts: str | int | Decimal) -> str: ...
@overload
def template(text: str, /, **parts: str | int | Decimal | None) -> str | None: ...  # type: ignore[overload-overlap]
@overload
def template(text: str, /, **parts: str | int | Decimal | MISSING) -> str | MISSING: ...
@overload
def template(text: str, /, **parts: str | int | Decimal | None | MISSING) -> str | None | MISSING: ...
def template(text: str, /, **parts: str | int | Decimal | None | MISSING) -> str | None | MISSING:
    """The text with `{name}` replaced by the part of that name, and `{{`, `}}` by braces.

    Missing when one part is missing, else null when one is null. What a part holds is never read as a template.
    """
    if any(part is MISSING for part in parts.values()):
        return MISSING
    if any(part is None for part in parts.values()):
        return None
    words = [parts[piece] if is_name else piece for piece, is_name in template_pieces(text)]
    return "".join([word if isinstance(word, str) else digits(cast("int | Decimal", word)) for word in words])


@lru_cache(maxsize=256)
def template_pieces(text: str) -> tuple[tuple[str, bool], ...]:
    """Cut a template into literal pieces and names (marked True). Raises ValueError for a brace that closes nothing."""
    pieces: list[tuple[str, bool]] = []
    literal = ""
    at = 0
    while at < len(text):
        char = text[at]
        if char in "{}" and text[at : at + 2] == char * 2:
            literal += char
            at += 2
        elif char == "{":
            end = text.find("}", at)
            if end < 0 or end == at + 1:
                raise ValueError("a `{` without a name and `}`; write `{{` for a brace")
            if literal:
                pieces.append((literal, False))
                literal = ""
            pieces.append((text[at + 1 : end], True))
            at = end + 1
        elif char == "}":
            raise ValueError("a `}` without `{`; write `}}` for a brace")
        else:
            literal += char
            at += 1
    if literal:
        pieces.append((literal, False))
    return tuple(pieces)


def _absent(values: Sequence[object]) -> None | MISSING:
    return None if any(value is None for value in values) else MISSING


MAX_DIGITS = 400
"""A number that would take more digits to write than this is refused: it is an exponent gone wrong, or an attack."""


def kind_of(value: object, kind: type, name: str) -> None:
    """Refuse a value of another kind: where a spec says nothing of a field's type, a record is the first to say it."""
    if not isinstance(value, kind):
        raise MappingError(f"`{name}`: the value is a {type(value).__name__}, not a {kind.__name__}")


def digits(value: bool | int | Decimal) -> str:
    """A number as text without an exponent; a boolean as `true` or `false`. Anything else is refused."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
            raise MappingError("a decimal number that is not finite or has too many digits")
        return format(value, "f")
    if isinstance(value, float):  # of a field whose type no spec says
        return digits(Decimal(str(value)))
    kind_of(value, int, "digits")
    if abs(value) >= _TOO_LARGE:
        raise MappingError("a whole number of too many digits")
    return str(value)


_TOO_LARGE = 10**MAX_DIGITS
