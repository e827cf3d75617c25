"""mappings/<stream>.yaml → Rules, with a place for each; and the form's JSON Schema.

Whether a path exists or a transform is known is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, JsonValue, Tag

from ..api.model import Json, Place
from ..api.paths import Path, PathSyntaxError, parse_path
from ..diagnostics import Diagnostic, raise_errors
from ..diagnostics import Place as ShownPlace
from ..forms import Form, check_form, form_schema, pointer, read_form
from .model import Default, OnMissing, OnNull, Rule, Rules, Waiver
from .transforms import LOSSES, TRANSFORMS


class ValueForm(Form):
    """What stands in for an absent value."""

    value: JsonValue


def _shape(value: Any) -> str:
    return "(text)" if isinstance(value, str) else "(object)"


def _sources_shape(value: Any) -> str:
    return "(list)" if isinstance(value, list | tuple) else "(text)"


MissingForm: TypeAlias = Annotated[
    Annotated[Literal["omit", "dead"], Tag("(text)")] | Annotated[ValueForm, Tag("(object)")], Discriminator(_shape)
]
NullForm: TypeAlias = Annotated[
    Annotated[Literal["keep", "omit", "dead"], Tag("(text)")] | Annotated[ValueForm, Tag("(object)")],
    Discriminator(_shape),
]


class RuleForm(Form):
    """One destination field: where it comes from and what is done on the way."""

    from_: (
        Annotated[
            Annotated[str, Tag("(text)")] | Annotated[tuple[str, ...], Tag("(list)")], Discriminator(_sources_shape)
        ]
        | None
    ) = Field(default=None, alias="from")
    """A source field path, a list of them, or nothing for a constant."""
    transform: str
    """A name of the transforms table."""
    with_: dict[str, JsonValue] = Field(default_factory=dict, alias="with")
    """The transform's parameters."""
    on_missing: MissingForm | None = None
    """What becomes of a record whose source is missing: the field is left out (`omit`), the record is set aside (`dead`), or a value."""
    on_null: NullForm | None = None
    """What becomes of a null: it is written (`keep`), the field is left out (`omit`), the record is set aside (`dead`), or a value."""
    waive: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Loss → why it is accepted."""


class MappingForm(Form):
    """The rules of one stream. `map` only appends to it."""

    vitesse: Literal[1]
    """The version of this form."""
    stream: str
    rules: dict[str, RuleForm] = Field(default_factory=dict)
    """Destination field path → rule, in the order of the destination's schema."""
    waive: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Destination field path → why it stays empty."""


def mapping_file(stream: str) -> str:
    """`mappings/customers.yaml`."""
    return f"mappings/{stream}.yaml"


def load_rules(folder: FilePath, stream: str) -> Rules:
    """Read one stream's mapping from an integration's folder.

    Raises:
        DiagnosticError: V001 to V006 for the form, V401 for what is no field path, V402 for a field that stands twice or a
            stream that is not the file's.
    """
    file = mapping_file(stream)
    form = check_form(MappingForm, read_form(folder, file), file)
    found: list[Diagnostic] = []
    if form.stream != stream:
        found.append(
            Diagnostic(
                code="V402",
                message=f"`{file}` says it is the mapping of `{form.stream}`",
                places=(ShownPlace(file=file, pointer="#/stream"),),
                help=f"write `stream: {stream}`, or rename the file",
            )
        )
    rules = [_rule(id, rule, file, found) for id, rule in form.rules.items()]
    waivers = [
        Waiver(destination=path, reason=reason, place=Place(file=file, pointer=pointer("waive", id)))
        for id, reason in form.waive.items()
        if (path := _path(id, Place(file=file, pointer=pointer("waive", id)), found)) is not None
    ]
    loaded = Rules(
        stream=stream, file=file, rules=tuple(rule for rule in rules if rule is not None), waivers=tuple(waivers)
    )
    raise_errors([*found, *_twice(loaded)])
    return loaded


def read_rule(stream: str, id: str, form: Mapping[str, Json]) -> Rule:
    """One rule as its file would have it under `id`.

    Raises:
        DiagnosticError: V003 to V005 for the form, V401 for what is no field path.
    """
    file = mapping_file(stream)
    whole: dict[str, Json] = {"vitesse": 1, "stream": stream, "rules": {id: dict(form)}}
    found: list[Diagnostic] = []
    rule = _rule(id, check_form(MappingForm, whole, file).rules[id], file, found)
    raise_errors(found)
    assert rule is not None
    return rule


def mapping_schema() -> Mapping[str, Any]:
    """The JSON Schema of the form, with the known transforms and losses."""
    schema = form_schema(MappingForm)
    rule = schema["$defs"]["RuleForm"]["properties"]
    rule["transform"] |= {
        "oneOf": [{"const": row.name, "description": row.doc} for row in TRANSFORMS.values()],
    }
    rule["waive"]["propertyNames"] = {"enum": sorted(LOSSES)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mappings/<stream>.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _rule(id: str, form: RuleForm, file: str, found: list[Diagnostic]) -> Rule | None:
    place = Place(file=file, pointer=pointer("rules", id))
    destination = _path(id, place, found)
    texts = () if form.from_ is None else (form.from_,) if isinstance(form.from_, str) else form.from_
    many = isinstance(form.from_, tuple)
    sources = [
        _path(text, Place(file=file, pointer=pointer("rules", id, "from", *([index] if many else []))), found)
        for index, text in enumerate(texts)
    ]
    if destination is None or not all(source is not None for source in sources):
        return None
    on_missing: OnMissing | None = (
        Default(value=form.on_missing.value) if isinstance(form.on_missing, ValueForm) else form.on_missing
    )
    on_null: OnNull | None = Default(value=form.on_null.value) if isinstance(form.on_null, ValueForm) else form.on_null
    return Rule(
        destination=destination,
        sources=tuple(source for source in sources if source is not None),
        transform=form.transform,
        options=dict(form.with_),
        on_missing=on_missing,
        on_null=on_null,
        waive=dict(form.waive),
        place=place,
    )


def _path(text: str, place: Place, found: list[Diagnostic]) -> Path | None:
    try:
        path = parse_path(text)
    except PathSyntaxError as error:
        message = f"`{text}` is no field path: {error}"
    else:
        if path:
            return path
        message = "a field path is empty"
    found.append(
        Diagnostic(
            code="V401",
            message=message,
            places=(ShownPlace.of(place),),
            help='write dots between names, `[]` after a list, and quote a name that holds either: `settings."app.name"`',
        )
    )
    return None


def _twice(rules: Rules) -> list[Diagnostic]:
    """The same field under two spellings, or both mapped and waived."""
    seen: dict[Path, Place] = {}
    found = []
    for path, place in [
        *((rule.destination, rule.place) for rule in rules.rules),
        *((waiver.destination, waiver.place) for waiver in rules.waivers),
    ]:
        if path in seen:
            found.append(
                Diagnostic(
                    code="V402",
                    message="a destination field stands twice in the mapping",
                    places=(ShownPlace.of(place, "again here"), ShownPlace.of(seen[path], "first here")),
                    help="keep one of the two",
                )
            )
        seen.setdefault(path, place)
    return found
