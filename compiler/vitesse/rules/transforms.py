"""The one table of transforms: what each takes, gives, asks for, loses, undoes, and which runtime function carries it out.

A rule names one of these. `check` reads the table to prove a rule, `mapper` to choose one, the documentation to describe it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from ..api.model import Json
from ..frozen import dataclass
from .model import Kind, Shape

OptionKind: TypeAlias = Literal[
    "text", "whole", "flag", "word", "words", "table", "json", "zone", "time_form", "time_target", "template", "function",
    "transform",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One key under `with`."""

    name: str
    kind: OptionKind
    words: tuple[str, ...] = ()
    """The words that a `word` may be."""
    required: bool = False
    default: Json = None
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One row of the table."""

    name: str
    doc: str
    least: int = 1
    most: int | None = 1
    """How many source fields it takes; None: any number."""
    accepts: frozenset[Kind]
    """Kinds of the source values; a value of any type is always let in and checked when it is there."""
    gives: Kind | Literal["same", "item", "option", "result"]
    """The kind of the result: `same` as the source, an `item` of it, told by an `option`, or the function's `result`."""
    options: tuple[Option, ...] = ()
    open_options: bool = False
    """True when further keys are the parameters of a function or of another transform."""
    inverse: str | None = None
    """The transform that gives the source back, for the options and sources that `inverse_of` says; None: there never is one."""
    losses: tuple[str, ...] = ()
    """What it may lose by its nature; `check` adds what the destination's type loses."""
    gold: str
    """The word for it in published sets of mappings: direct, mapping, parse, stringify, parse_bool, collect, custom, constant."""
    functions: tuple[str, ...] = ()
    """Of the runtime."""

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


SCALARS: frozenset[Kind] = frozenset({"string", "integer", "number", "boolean"})
TEXTS: frozenset[Kind] = frozenset({"string", "integer", "number"})
EVERYTHING: frozenset[Kind] = SCALARS | {"date", "datetime", "list", "object", "map", "any"}

_ROUNDING = Option(
    name="rounding", kind="word", words=("half_even", "half_up", "down", "up"), doc="what becomes of further digits"
)
_TIME = (
    Option(
        name="form",
        kind="time_form",
        default="iso8601",
        doc="how the source writes it: `iso8601`, `unix_s`, `unix_ms` or a pattern such as `%d/%m/%Y`",
    ),
    Option(name="read_as", kind="zone", doc="the zone of a source that names none"),
    Option(name="zone", kind="zone", doc="the zone in which the result is stated"),
)

_ROWS = (
    Transform(
        name="direct",
        doc="The same path, the value unchanged.",
        accepts=EVERYTHING,
        gives="same",
        inverse="direct",
        gold="direct",
    ),
    Transform(
        name="mapping",
        doc="Another path, the value unchanged.",
        accepts=EVERYTHING,
        gives="same",
        inverse="mapping",
        gold="mapping",
    ),
    Transform(
        name="parse",
        doc="Text or a number → a number, exact.",
        accepts=TEXTS,
        gives="option",
        options=(
            Option(name="to", kind="word", words=("decimal", "integer", "number"), required=True),
            Option(name="places", kind="whole", doc="decimal places; none: as they come"),
            _ROUNDING,
        ),
        losses=("fraction",),
        gold="parse",
        functions=("to_decimal", "to_integer"),
    ),
    Transform(
        name="stringify",
        doc="A number, a boolean or a date → text, without exponents.",
        accepts=SCALARS | {"date", "datetime"},
        gives="string",
        options=(Option(name="places", kind="whole", doc="decimal places of a number"),),
        inverse="parse",
        gold="stringify",
        functions=("stringify",),
    ),
    Transform(
        name="parse_bool",
        doc="A word or 0/1 → true or false.",
        accepts=frozenset({"string", "integer", "boolean"}),
        gives="boolean",
        options=(
            Option(name="true", kind="words", doc="words for true, in lower case"),
            Option(name="false", kind="words", doc="words for false, in lower case"),
        ),
        gold="parse_bool",
        functions=("to_bool",),
    ),
    Transform(
        name="collect",
        doc="One list, a text cut at a separator, or several fields → a list without gaps.",
        most=None,
        accepts=SCALARS | {"list"},
        gives="list",
        options=(Option(name="separator", kind="text", doc="where a text is cut"),),
        gold="collect",
        functions=("collect", "collect_fields"),
    ),
    Transform(
        name="constant",
        doc="The same value in every record.",
        least=0,
        most=0,
        accepts=frozenset(),
        gives="option",
        options=(Option(name="value", kind="json", required=True),),
        gold="constant",
    ),
    Transform(
        name="enum",
        doc="A word of one closed set → a word of another, value by value.",
        accepts=frozenset({"string", "integer", "boolean"}),
        gives="option",
        options=(
            Option(name="map", kind="table", required=True, doc="source value → destination value"),
            Option(name="default", kind="json", doc="for values that are not in the table; none: dead letter"),
        ),
        inverse="enum",
        losses=("enum_gap", "many_to_one"),
        gold="custom",
        functions=("enum_map",),
    ),
    Transform(
        name="split",
        doc="A text cut at a separator → a list of its parts, or one of them.",
        accepts=frozenset({"string"}),
        gives="option",
        options=(
            Option(name="separator", kind="text", required=True),
            Option(name="part", kind="whole", doc="one part only, counted from 0, or back from -1"),
            Option(name="rest", kind="flag", default=False, doc="with `part`: all from it on"),
        ),
        gold="custom",
        functions=("split", "split_part"),
    ),
    Transform(
        name="join",
        doc="Several fields, or a list, → one text; absent and empty fields are left out.",
        most=None,
        accepts=TEXTS | {"list"},
        gives="string",
        options=(Option(name="separator", kind="text", required=True),),
        gold="custom",
        functions=("join", "join_fields"),
    ),
    Transform(
        name="template",
        doc="A text with `{field path}` in it.",
        most=None,
        accepts=TEXTS,
        gives="string",
        options=(Option(name="template", kind="template", required=True),),
        gold="custom",
        functions=("template",),
    ),
    Transform(
        name="date",
        doc="A point in time in one form → a date, a date-time, a number of seconds, or text in another form.",
        accepts=TEXTS | {"date", "datetime"},
        gives="option",
        options=(
            Option(
                name="to",
                kind="time_target",
                required=True,
                doc="`date`, `datetime`, `unix_s`, `unix_ms` or a pattern such as `%d/%m/%Y`",
            ),
            *_TIME,
        ),
        inverse="date",
        losses=("datetime_to_date", "zone_loss"),
        gold="custom",
        functions=("to_date", "to_datetime", "to_unix", "date_text"),
    ),
    Transform(
        name="each",
        doc="A list → a list: one transform for each item, or the loop under which rules for the items stand.",
        accepts=frozenset({"list"}),
        gives="list",
        options=(
            Option(name="transform", kind="transform", doc="what is done to each item; its options stand beside it"),
        ),
        open_options=True,
        inverse="each",
        gold="collect",
        functions=("each",),
    ),
    Transform(
        name="coalesce",
        doc="The first of several fields that has a value.",
        least=2,
        most=None,
        accepts=EVERYTHING,
        gives="same",
        losses=("many_to_one",),
        gold="custom",
        functions=("coalesce",),
    ),
    Transform(
        name="first",
        doc="The first item of a list.",
        accepts=frozenset({"list"}),
        gives="item",
        losses=("list_into_scalar",),
        gold="custom",
        functions=("first",),
    ),
    Transform(
        name="wrap",
        doc="One value → a list of it.",
        accepts=EVERYTHING - {"list"},
        gives="list",
        inverse="first",
        gold="collect",
        functions=("wrap",),
    ),
    Transform(
        name="text",
        doc="Text trimmed, in one case, cut to a length.",
        accepts=SCALARS,
        gives="string",
        options=(
            Option(name="trim", kind="flag", default=False),
            Option(name="case", kind="word", words=("lower", "upper")),
            Option(name="max_length", kind="whole"),
        ),
        losses=("length",),
        gold="custom",
        functions=("text",),
    ),
    Transform(
        name="lookup",
        doc="The destination identity of a record that another stream wrote.",
        accepts=TEXTS,
        gives="option",
        options=(
            Option(name="stream", kind="text", required=True, doc="the other stream"),
            Option(name="to", kind="word", words=("text", "integer"), doc="what the identity is there"),
        ),
        gold="custom",
        functions=("linked", "linked_integer"),
    ),
    Transform(
        name="custom",
        doc="A registered function of a plugin or of `custom/`; its parameters stand beside its name.",
        most=None,
        accepts=EVERYTHING,
        gives="result",
        options=(Option(name="function", kind="function", required=True),),
        open_options=True,
        gold="custom",
        functions=("apply", "combine"),
    ),
)

TRANSFORMS: Mapping[str, Transform] = {row.name: row for row in _ROWS}

LOSSES: Mapping[str, str] = {
    "decimal_to_float": "a decimal number is kept as a binary one",
    "int64_to_int32": "a whole number of 64 bits goes where 32 fit",
    "fraction": "digits behind the point are rounded away",
    "datetime_to_date": "the time of day is lost",
    "zone_loss": "the time zone is lost",
    "length": "a text may be longer than its place",
    "enum_gap": "values of the source have no counterpart",
    "null_into_non_null": "a null goes where the destination takes none",
    "list_into_scalar": "all items but one are lost",
    "many_to_one": "different values become one",
}
"""Loss → what it means. A rule that has one is compiled only when it is waived with a reason."""


def inverse_of(name: str, options: Mapping[str, Json], source: Shape) -> tuple[str, Mapping[str, Json]] | None:
    """The transform that gives the source value back, with its options; None when there is none.

    Claimed only where `inverse(transform(x)) == x` for every x of the source's kind that the transform accepts. So `parse` has
    none: `1.10` and `+1.1` are one number.
    """
    match name:
        case "direct" | "mapping":
            return name, {}
        case "stringify" if "places" not in options:
            back = {"integer": ("parse", {"to": "integer"}), "number": ("parse", {"to": "decimal"})}
            found: dict[str, tuple[str, Mapping[str, Json]]] = {
                **back,
                "boolean": ("parse_bool", {}),
                "string": ("mapping", {}),
            }
            return found.get(source.kind)
        case "wrap":
            return "first", {}
        case "enum" if "default" not in options and source.kind == "string":
            table = options.get("map")
            if not isinstance(table, dict):
                return None
            undone: dict[str, Json] = {value: key for key, value in table.items() if isinstance(value, str)}
            return ("enum", {"map": undone}) if len(undone) == len(table) else None
        case "date" if options.get("form") in ("unix_s", "unix_ms") and options.get("to") == "datetime":
            return ("date", {"to": options["form"]}) if source.kind == "integer" else None
        case "each" if isinstance(inner := options.get("transform"), str) and source.items is not None:
            rest = {key: value for key, value in options.items() if key != "transform"}
            item = inverse_of(inner, rest, source.items)
            return None if item is None else ("each", {"transform": item[0], **item[1]})
        case _:
            return None
