"""Small APIs for tests, in one line a field.

`{"email!": "string:email?"}` is a required field that may be null; `"string=a|b"` names values, `"string<10"` a longest length,
`[…]` is a list, `{…}` an object, `{"*": …}` a map, `"any"` anything; a name with `-` before it is read-only.
"""

from __future__ import annotations

import re
from typing import Any

from vitesse.api.model import Anything, Array, Body, Field, Object, Operation, Place, Response, Scalar, Type
from vitesse.api.paths import parse_path
from vitesse.forms import pointer
from vitesse.rules.model import End, Rule, Rules, Waiver

_SCALAR = re.compile(r"(string|integer|number|boolean)(?::([\w-]+))?(?:<(\d+))?(?:=([^?]+))?(\?)?")


def type_of(form: Any, at: str = "#", file: str = "specs/api.yaml", nullable: bool = False) -> Type:
    place = Place(file=file, pointer=at)
    if isinstance(form, dict):
        extra = type_of(form["*"], f"{at}/additionalProperties", file) if "*" in form else None
        fields = []
        for key, inner in form.items():
            if key == "*":
                continue
            name = key.strip("!-?")
            below = f"{at}/properties/{name}"
            fields.append(
                Field(
                    name=name,
                    type=type_of(inner, below, file, nullable="?" in key),
                    required="!" in key,
                    read_only=key.startswith("-"),
                    place=Place(file=file, pointer=below),
                )
            )
        return Object(fields=tuple(fields), extra=extra, nullable=nullable, place=place)
    if isinstance(form, list):
        return Array(items=type_of(form[0], f"{at}/items", file), nullable=nullable, place=place)
    if form == "any":
        return Anything(place=place)
    found = _SCALAR.fullmatch(form)
    assert found, form
    kind, format, length, enum, null = found.groups()
    values = tuple(int(one) if kind == "integer" else one for one in enum.split("|")) if enum else ()
    return Scalar(
        kind=kind,  # type: ignore[arg-type]
        format=format,
        max_length=int(length) if length else None,
        enum=values,
        nullable=bool(null) or nullable,
        place=place,
    )


def end(form: Any, *, title: str, file: str) -> End:
    place = Place(file=file, pointer="#/paths/~1records/get")
    type = type_of(form, file=file)
    operation = Operation(
        id="GET /records",
        method="GET",
        path="/records",
        body=Body(media_type="application/json", type=type, place=place),
        responses=(Response(status="200", type=Array(items=type, place=place), place=place),),
        place=place,
    )
    return End(api=title.lower(), title=title, operation=operation, type=type, types={})


def source(form: Any) -> End:
    return end(form, title="Shop", file="specs/shop.yaml")


def destination(form: Any) -> End:
    return end(form, title="Crm", file="specs/crm.yaml")


def rule(id: str, sources: str | tuple[str, ...] = (), transform: str = "mapping", **more: Any) -> Rule:
    texts = (sources,) if isinstance(sources, str) else sources
    return Rule(
        destination=parse_path(id),
        sources=tuple(parse_path(text) for text in texts),
        transform=transform,
        options=more.pop("options", {}),
        place=Place(file="mappings/customers.yaml", pointer=pointer("rules", id)),
        **more,
    )


def rules(*some: Rule, waive: dict[str, str] | None = None) -> Rules:
    file = "mappings/customers.yaml"
    waivers = tuple(
        Waiver(destination=parse_path(id), reason=reason, place=Place(file=file, pointer=pointer("waive", id)))
        for id, reason in (waive or {}).items()
    )
    return Rules(stream="customers", file=file, rules=some, waivers=waivers)
