"""A pair of fields, or several for one → the transform between them, with its parameters.

Takes what is known of the types; where nothing is known the value goes unchanged. What only a person can decide is a named hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..api.model import Json
from ..rules.transforms import TRANSFORMS
from .fields import View
from .sets import Pattern
from .times import Written, written_as
from .units import unit_hole

_SINCE = {"unix_s": "seconds", "unix_ms": "milliseconds"}
_MILLIS = frozenset({"ms", "millisecond", "milli"})
_LISTING = frozenset(
    {"tag", "label", "keyword", "category", "segment", "list", "group", "topic", "skill", "collection"}
)
_SEPARATED_BY_SPACE = frozenset({"scope", "permission"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a value's type, as plain words."""

    kind: str | None = None
    """string, integer, number, boolean, list, object, map; None: anything."""
    format: str | None = None
    items: str | None = None
    enum: tuple[Json, ...] = ()
    max_length: int | None = None
    example: Json = None
    """A published example; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOffer:
    """A registered function that a rule could call."""

    name: str
    takes: str
    """Kind of its one value."""
    gives: str
    words: frozenset[str]
    """Of its name and description."""
    vendor: frozenset[str] = frozenset()
    """Words of the plugin's name; it is meant for that vendor's values."""
    ready: bool = True
    """Whether it can be called without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A transform with its parameters."""

    transform: str
    options: Mapping[str, Json] = field(default_factory=dict)
    why: str = ""
    sure: float = 1.0
    """How sure the choice is once the pair is right."""
    holes: tuple[str, ...] = ()
    """What a person has to decide, one sentence each."""
    gold: str = ""
    """The word for it in published sets of mappings."""


def choose(
    sources: Sequence[View],
    destination: View,
    given: Sequence[Known],
    wanted: Known,
    pattern: Pattern,
    functions: Sequence[FunctionOffer] = (),
) -> Choice:
    """Choose the transform for a destination.

    Args:
        given: Type of each source; a source inside more lists than the destination counts as a list.
        wanted: Type of the destination.
    """
    choice = _several(sources, destination, given, wanted, pattern) if len(sources) > 1 else None
    if choice is None:
        choice = _one(sources[0], destination, given[0], wanted, functions)
    gold = choice.gold or TRANSFORMS[choice.transform].gold
    counted = unit_hole(sources[0], destination) if len(sources) == 1 else None
    if counted is not None:
        choice = replace(choice, sure=choice.sure * 0.6, holes=(*choice.holes, counted))
    if is_reference(sources[0], destination):
        # The destination names its own records: an identity of the source means nothing there without a link.
        other = "the value names a record of another kind: make sure that both systems mean the same identity"
        return replace(choice, sure=choice.sure * 0.8, holes=(*choice.holes, other), gold="custom")
    return replace(choice, gold=gold)


_RECORDS = frozenset(
    "user owner assignee creator contact company account opportunity lead customer participant manager supplier worker candidate actor"
    " agent reporter team product order invoice".split()
)
"""Concepts that name a kind of record."""


def is_reference(source: View, destination: View) -> bool:
    """Whether both name a record by its identity, under two words for its kind: `owner_id` → `user_id`."""
    if "id" not in destination.roles or "id" not in source.concepts or "external_id" in destination.leaf.concepts:
        return False
    kind = _RECORDS & set(destination.leaf.concepts)
    there = _RECORDS & set(source.concepts)
    return bool(kind) and bool(there) and not kind & there


def _several(
    sources: Sequence[View], destination: View, given: Sequence[Known], wanted: Known, pattern: Pattern
) -> Choice | None:
    is_list = wanted.kind == "list" or destination.lists > max(view.lists for view in sources)
    if pattern == "names":
        return Choice(transform="join", options={"separator": " "}, why="the whole name from its parts")
    if is_list and pattern in ("series", "twins"):
        return Choice(transform="collect", why="one list of several fields")
    return Choice(transform="coalesce", why="the first of several fields that has a value", sure=0.9)


def _one(source: View, destination: View, given: Known, wanted: Known, functions: Sequence[FunctionOffer]) -> Choice:
    if wanted.kind != "list" and destination.lists > source.lists and given.kind != "list":
        inner = _scalar(source, destination, given, wanted, functions)
        return Choice(
            transform=inner.transform,
            options=inner.options,
            why="a list of the one value" if inner.transform in ("direct", "mapping") else inner.why,
            sure=inner.sure,
            holes=inner.holes,
            gold="stringify" if inner.transform == "stringify" else "collect",
        )
    if given.kind == "list" and wanted.kind != "list":
        return _from_list(source, destination, given, wanted)
    if wanted.kind == "list" and given.kind != "list":
        return _to_list(source, given, wanted)
    if given.kind == wanted.kind == "list":
        return _list_to_list(source, destination, given, wanted, functions)
    return _scalar(source, destination, given, wanted, functions)


def _same(source: View, destination: View) -> Choice:
    if source.given.path == destination.given.path:
        return Choice(transform="direct", why="the same path, the value unchanged")
    return Choice(transform="mapping", why="the value unchanged")


def _from_list(source: View, destination: View, given: Known, wanted: Known) -> Choice:
    if given.items in ("object", "map") and wanted.kind is not None:
        return Choice(transform="first", why="the first item of a list", sure=0.5)
    if wanted.kind == "string" and _LISTING & set(source.leaf.concepts):
        return Choice(transform="join", options={"separator": ", "}, why="the items as one text", sure=0.7)
    if wanted.kind is None:
        return _same(source, destination)
    if given.items in ("integer", "number") and wanted.kind == "string":
        return Choice(
            transform="join", options={"separator": ", "}, why="the items as one text", sure=0.6, gold="stringify"
        )
    return Choice(transform="first", why="the first item of a list", sure=0.8)


def _to_list(source: View, given: Known, wanted: Known) -> Choice:
    if given.kind is None:
        return Choice(transform="mapping", why="the value unchanged", sure=0.7)
    if given.kind == "string" and wanted.items in ("string", None):
        words = set(source.leaf.concepts)
        plural = bool(source.leaf.flat) and source.leaf.flat.endswith("s") and not source.leaf.flat.endswith("ss")
        if words & _SEPARATED_BY_SPACE:
            return Choice(transform="collect", options={"separator": " "}, why="a text that lists things", sure=0.8)
        if words & _LISTING or plural:
            return Choice(transform="collect", options={"separator": ","}, why="a text that lists things", sure=0.9)
    return Choice(transform="wrap", why="a list of the one value", sure=0.8)


def _list_to_list(
    source: View, destination: View, given: Known, wanted: Known, functions: Sequence[FunctionOffer]
) -> Choice:
    inner = _scalar(
        source, destination, Known(kind=given.items), Known(kind=wanted.items, format=wanted.format), functions
    )
    if inner.transform in ("direct", "mapping"):
        if source.lists > destination.lists:
            return Choice(transform="mapping", why="that field of each item", gold="collect")
        return _same(source, destination)
    return Choice(
        transform="each",
        options={"transform": inner.transform, **inner.options},
        why=f"each item: {inner.why}",
        sure=inner.sure,
        holes=inner.holes,
    )


def _scalar(source: View, destination: View, given: Known, wanted: Known, functions: Sequence[FunctionOffer]) -> Choice:
    if _is_time(destination, wanted) and (_is_time(source, given) or "time" in source.roles):
        found = _time(source, destination, given, wanted, functions)
        if found is not None:
            return found
    if given.enum and wanted.enum and not set(given.enum) <= set(wanted.enum):
        return _enum(given, wanted)
    if given.kind is not None and wanted.kind is not None and given.kind != wanted.kind:
        offer = _meant(functions, source, destination, given, wanted)
        if offer is not None:
            return Choice(
                transform="custom", options={"function": offer.name}, why=f"`{offer.name}` is made for it", sure=0.9
            )
    match given.kind, wanted.kind:
        case (None, _) | (_, None):
            return _same(source, destination)
        case "string", ("number" | "integer"):
            return _parse(source, destination, given, wanted)
        case "number", "integer":
            return Choice(
                transform="parse",
                options={"to": "integer", "rounding": "half_even"},
                why="a whole number",
                sure=0.9,
                gold="parse",
            )
        case (("number" | "integer"), "string"):
            return Choice(transform="stringify", why="a number as text")
        case "boolean", "string":
            return Choice(transform="stringify", why="true or false as text", sure=0.8)
        case (("string" | "integer" | "number"), "boolean") if given.kind != "number":
            return Choice(transform="parse_bool", why="a word or 0/1 as true or false", sure=0.7)
        case "boolean", ("integer" | "number"):
            return Choice(
                transform="enum", options={"map": {"true": 1, "false": 0}}, why="true or false as 1 or 0", sure=0.8
            )
        case one, other if one == other:
            return _same(source, destination)
        case _:
            return _same(source, destination)


def _parse(source: View, destination: View, given: Known, wanted: Known) -> Choice:
    if wanted.kind == "integer":
        return Choice(transform="parse", options={"to": "integer"}, why="text as a whole number")
    if ("money" in source.roles or "money" in destination.roles) and "percent" not in destination.leaf.concepts:
        return Choice(
            transform="parse",
            options={"to": "decimal", "places": 2, "rounding": "half_even"},
            why="an amount of money with two places",
            sure=0.95,
        )
    return Choice(transform="parse", options={"to": "decimal"}, why="text as a decimal number")


# --- time -------------------------------------------------------------------------------------------------------------


def _is_time(view: View, known: Known) -> bool:
    return known.format in ("date", "date-time") or (
        known.kind in (None, "string", "integer", "number") and "time" in view.roles
    )


def _time(
    source: View, destination: View, given: Known, wanted: Known, functions: Sequence[FunctionOffer]
) -> Choice | None:
    is_number = given.kind in ("integer", "number")
    if wanted.format in ("date", "date-time") and wanted.kind in ("string", None):
        to = "date" if wanted.format == "date" else "datetime"
        if is_number:
            form, sure = _unix(source, given.example)
            return Choice(
                transform="date",
                options={"to": to, "form": form},
                why=f"{_SINCE[form]} since 1970 as a time",
                sure=sure,
            )
        if given.kind not in ("string", None):
            return None
        if wanted.format == given.format:
            return _same(source, destination)
        shown = written_as(given.example) if given.format is None else None
        if shown is not None and (shown.form != "iso8601" or not shown.has_zone):
            return _as_shown(to, shown, source)
        if to == "date":
            offer = _offer(functions, "string", "date", source)
            if offer is not None:
                return Choice(
                    transform="custom", options={"function": offer.name}, why="the day of a point in time", sure=0.95
                )
            return Choice(transform="date", options={"to": "date"}, why="the day of a point in time")
        if given.format == "date":
            return Choice(
                transform="date", options={"to": "datetime", "read_as": "UTC"}, why="midnight of a day", sure=0.7
            )
        if given.kind is None:
            return Choice(transform="mapping", why="a point in time as text", gold="custom")
        same = source.given.path == destination.given.path
        return Choice(transform="direct" if same else "mapping", why="a point in time as text", gold="custom")
    if wanted.kind in ("integer", "number") and given.kind == "string":
        words = set(destination.leaf.words)
        unit = "unix_ms" if words & _MILLIS else "unix_s"
        return Choice(transform="date", options={"to": unit}, why=f"a time as {_SINCE[unit]} since 1970", sure=0.8)
    if wanted.kind == "string" and is_number and "id" not in source.roles:
        form, sure = _unix(source, given.example)
        return Choice(
            transform="date",
            options={"to": "datetime", "form": form},
            why=f"{_SINCE[form]} since 1970 as a time",
            sure=sure,
        )
    return None


def _as_shown(to: str, shown: Written, source: View) -> Choice:
    """A time that is written as its example: other than ISO 8601, or without a zone."""
    options: dict[str, Json] = {"to": to}
    if shown.form != "iso8601":
        options["form"] = shown.form
    holes = []
    if shown.other is not None:
        holes.append(f"the example of `{source.given.path}` is `{shown.form}` or `{shown.other}`: say which")
    if to == "datetime" and not shown.has_zone:
        options["read_as"] = "UTC"
        holes.append(f"`{source.given.path}` names no zone: `read_as: UTC` is a guess")
    sure = 0.95 * 0.7 ** len(holes)
    return Choice(
        transform="date", options=options, why="a time as its example is written", sure=sure, holes=tuple(holes)
    )


def _unix(source: View, example: Json = None) -> tuple[str, float]:
    shown = written_as(example)
    if shown is not None and shown.form in ("unix_s", "unix_ms"):
        return shown.form, 0.97
    words = set(source.leaf.words) | source.told
    return ("unix_ms", 0.9) if words & _MILLIS else ("unix_s", 0.7)


def _offer(functions: Sequence[FunctionOffer], takes: str, gives: str, source: View) -> FunctionOffer | None:
    """The registered function for this conversion: the built-in one unless a vendor's fits better."""
    fitting = [one for one in functions if one.ready and one.takes == takes and one.gives == gives]
    return min(fitting, key=lambda one: (bool(one.vendor), one.name), default=None)


def _meant(
    functions: Sequence[FunctionOffer], source: View, destination: View, given: Known, wanted: Known
) -> FunctionOffer | None:
    """A registered function whose name speaks of the field, and whose types are those of the two."""
    told = {concept for view in (source, destination) for concept in (*view.long.concepts, *view.long.words)} - _PLAIN
    fitting = [
        one
        for one in functions
        if one.ready and one.takes == given.kind and one.gives == wanted.kind and (one.words - _PLAIN) & told
    ]
    return max(fitting, key=lambda one: (len(one.words & told), one.name), default=None)


_PLAIN = frozenset(
    "parse to from is has get read the of a an id value type name status state string number text code".split()
)
"""Words in a function's name that do not tell what it is for."""


# --- closed sets ------------------------------------------------------------------------------------------------------


def _enum(given: Known, wanted: Known) -> Choice:
    """A table value by value; what has no counterpart is a hole."""
    from rapidfuzz.distance import JaroWinkler

    from .names import read_name

    targets = [(value, read_name(str(value))) for value in wanted.enum]
    table: dict[str, Json] = {}
    gaps: list[str] = []
    for value in given.enum:
        name = read_name(str(value))
        best: Json = None
        chance = 0.0
        for target, read in targets:
            if read.flat == name.flat:
                likeness = 1.0
            elif set(read.concepts) == set(name.concepts):
                likeness = 0.9
            else:
                likeness = JaroWinkler.normalized_similarity(read.flat, name.flat) - 0.1
            if likeness > chance:
                best, chance = target, likeness
        key = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        if chance >= 0.8:
            table[key] = best
        else:
            gaps.append(key)
    holes = (f"say what becomes of {', '.join(f'`{gap}`' for gap in gaps[:8])}",) if gaps else ()
    if not table:
        table = {str(given.enum[0]): wanted.enum[0]}
        holes = (f"say what becomes of each value: {', '.join(f'`{value}`' for value in given.enum[:8])}",)
    share = 1 - len(gaps) / len(given.enum)
    return Choice(
        transform="enum",
        options={"map": table},
        why="one closed set to another, value by value",
        sure=0.5 + 0.45 * share,
        holes=holes,
    )
