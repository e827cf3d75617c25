"""What a description offers on the wire, read by the harness itself.

Shares no line with the compiler: what is expected to be sent and understood is worked out here a second time, plainly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

METHODS = ("get", "put", "post", "patch", "delete")
_DEPTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    location: str
    required: bool
    schema: Any
    style: str | None
    explode: bool | None


@dataclass(slots=True, kw_only=True)
class Operation:
    """One operation with its schemas as they stand in the document, references not followed."""

    method: str
    path: str
    value: dict[str, Any]
    parameters: list[Parameter] = field(default_factory=list)
    body: Any = None
    reply: Any = None
    """The schema of the 2xx reply."""

    @property
    def id(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def named(self, location: str) -> list[str]:
        return [parameter.name for parameter in self.parameters if parameter.location == location]


def resolve(document: Any, value: Any) -> Any:
    """What stands at the end of the local references; None where there is nothing."""
    for _ in range(_DEPTH):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            return value
        if not value["$ref"].startswith("#/"):
            return None
        value = _at(document, value["$ref"][2:])
    return None


def _at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if not isinstance(document, dict) or name not in document:
            return None
        document = document[name]
    return document


def operations(document: Any) -> Iterator[Operation]:
    """All operations in the file's order; what has another shape is passed over."""
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, item in paths.items() if isinstance(paths, dict) else ():
        item = resolve(document, item)
        for method in METHODS:
            value = item.get(method) if isinstance(item, dict) else None
            if isinstance(value, dict):
                yield _operation(document, method, path, item, value)


def _operation(document: Any, method: str, path: str, item: Any, value: dict[str, Any]) -> Operation:
    found = Operation(method=method, path=path, value=value)
    for listed in (item.get("parameters"), value.get("parameters")):
        for one in listed if isinstance(listed, list) else ():
            one = resolve(document, one)
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                found.parameters.append(
                    Parameter(
                        name=one["name"],
                        location=str(one.get("in")),
                        required=one.get("required") is True,
                        schema=one.get("schema", {}),
                        style=one.get("style"),
                        explode=one.get("explode"),
                    )
                )
    found.body = _schema(document, value.get("requestBody"))
    responses = value.get("responses")
    for status in sorted(responses, key=str) if isinstance(responses, dict) else ():
        if found.reply is None and str(status).startswith("2"):
            found.reply = _schema(document, responses[status])
    return found


def _schema(document: Any, holder: Any) -> Any:
    holder = resolve(document, holder)
    content = holder.get("content") if isinstance(holder, dict) else None
    for media in content.values() if isinstance(content, dict) else ():
        if isinstance(media, dict) and "schema" in media:
            return media["schema"]
    return None


def properties(document: Any, schema: Any, depth: int = 0) -> dict[str, Any]:
    """The properties of an object schema, those of its `allOf` among them."""
    schema = resolve(document, schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return {}
    found: dict[str, Any] = {}
    members = schema.get("allOf")
    for choice in ("oneOf", "anyOf"):
        if isinstance(schema.get(choice), list) and len(schema[choice]) == 1:
            found |= properties(document, schema[choice][0], depth + 1)
    for member in members if isinstance(members, list) else ():
        found |= properties(document, member, depth + 1)
    own = schema.get("properties")
    return found | (own if isinstance(own, dict) else {})


def choices(document: Any, schema: Any, key: str, depth: int = 0) -> Any:
    """The value of a keyword (`enum`, `const`, `default`, `type`, `format`, `items`) of a schema, through references and `allOf`."""
    holder = schema
    schema = resolve(document, schema)
    if depth > _DEPTH:
        return None
    for one in (holder, schema):
        if isinstance(one, dict) and key in one:
            return one[key]
    members = schema.get("allOf") if isinstance(schema, dict) else None
    for member in members if isinstance(members, list) else ():
        found = choices(document, member, key, depth + 1)
        if found is not None:
            return found
    return None


def samples(document: Any, schema: Any, seed: str, depth: int = 0) -> list[Any]:
    """Values that a schema takes: every enum value, the constant and the default, or one made up from `seed`."""
    if depth > 4:
        return [seed]
    enum = choices(document, schema, "enum")
    if isinstance(enum, list):
        enum = [one for one in enum if one is not None]  # whether null passes is the rule's choice
    if isinstance(enum, list) and enum:
        is_text = choices(document, schema, "type") == "string"
        return [str(one) if is_text and isinstance(one, (int, float)) else one for one in enum[:40]]
    const = choices(document, schema, "const")
    if const is not None:
        return [const]
    alternatives = _alternatives(document, resolve(document, schema), seed, depth)
    if alternatives:
        return alternatives
    kind = choices(document, schema, "type")
    kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
    default = choices(document, schema, "default")
    found = [default] if default is not None and _is_kind(default, kind) else []
    return [*found, _made_up(document, schema, kind, seed, depth)]


def _alternatives(document: Any, schema: Any, seed: str, depth: int) -> list[Any]:
    """One value for each member of a oneOf or anyOf; with a discriminator, one for each of its values."""
    if not isinstance(schema, dict):
        return []
    chosen = schema.get("discriminator")
    if isinstance(chosen, dict) and isinstance(chosen.get("mapping"), dict):
        found = []
        for value, target in chosen["mapping"].items():
            member = samples(document, {"$ref": target}, seed, depth + 1)[0]
            if isinstance(member, dict):
                found.append({**member, str(chosen.get("propertyName")): value})
        return found
    members = schema.get("oneOf") or schema.get("anyOf")
    return [samples(document, one, seed, depth + 1)[0] for one in members] if isinstance(members, list) else []


def leaves(document: Any, schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """(path, schema, whether all of the path is required) of every value below an object that is no object with properties."""
    required = choices(document, schema, "required")
    for name, member in properties(document, schema).items():
        needed = isinstance(required, list) and name in required
        if properties(document, member):
            inside = leaves(document, member, (*path, name)) if len(path) < 2 else ()
            for below, leaf, all_needed in inside:
                yield below, leaf, needed and all_needed
        else:
            yield (*path, name), member, needed


def _is_kind(value: Any, kind: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def _made_up(document: Any, schema: Any, kind: Any, seed: str, depth: int) -> Any:
    formats = {
        "date": "2024-02-29",
        "date-time": "2024-02-29T12:00:00Z",
        "uuid": "00000000-0000-4000-8000-000000000000",
        "time": "12:00:00Z",
        "byte": "AAAA",
    }
    members = properties(document, schema)
    match kind:
        case "integer":
            return sum(map(ord, seed)) % 1000
        case "number":
            return 1.5
        case "boolean":
            return True
        case "array":
            return [samples(document, choices(document, schema, "items") or {}, seed, depth + 1)[0]]
        case "object" if not members:
            return {"k": seed}
        case "string":
            return formats.get(str(choices(document, schema, "format")), seed)
        case _ if members:
            return {
                name: samples(document, member, f"{seed}.{n}", depth + 1)[0]
                for n, (name, member) in enumerate(members.items())
            }
        case _:
            return seed
