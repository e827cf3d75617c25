"""Types of an Api → JSON Schema for a mock: unpruned, closed under `$ref`, capped in size.

A package reads only what it maps; its mocks show whole records and check whole bodies, so that what the package leaves out
or makes up is found. Where a vendor's types reach too far (half of a large API through one customer), what lies behind the cap
admits everything: the mock then knows less, and nothing wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

from ..api.model import Anything, Api, Array, Json, Object, Ref, Scalar, Type, Union
from ..api.paths import EACH, Path
from .model import JsonPath

Schema: TypeAlias = dict[str, Any]

MAX_NODES = 1500
"""Nodes of all definitions of one mock; what is reached later is open, unless a rule reaches it too."""
_DEEPEST = 24
_LONGEST_EXAMPLE = 120


@dataclass(slots=True)
class SchemaWriter:
    """Writes the types of one Api. `definitions` is complete once `close` was called."""

    api: Api
    max_nodes: int = MAX_NODES
    definitions: dict[str, Schema] = field(default_factory=dict)
    _waiting: deque[str] = field(default_factory=deque)
    _followed: set[str] = field(default_factory=set)
    _nodes: int = 0

    def schema(self, type: Type | None) -> Schema:
        """The schema of a type; open when there is none."""
        return {} if type is None else self._schema(type, 0)

    def follow(self, type: Type | None, path: JsonPath | Path) -> None:
        """Write the definitions on the way to a field whatever the cap: a rule goes there."""
        for step in (*path, None):
            while isinstance(type, Ref):
                self._followed.add(type.name)
                type = self.api.types[type.name]
            members = type.members if isinstance(type, Union) else ()
            self._followed.update(member.name for member in members if isinstance(member, Ref))
            if step is not None:
                type = _below(self.api, type, None if step is EACH or isinstance(step, int) else str(step))

    def close(self) -> Mapping[str, Schema]:
        """Write the definitions that are named but not written, nearest first, up to the cap; in name order."""
        while self._waiting:
            name = self._waiting.popleft()
            is_over = self._nodes > self.max_nodes and name not in self._followed
            self.definitions[name] = {} if is_over else self._schema(self.api.types[name], 0)
        return dict(sorted(self.definitions.items()))

    def _schema(self, type: Type, depth: int) -> Schema:
        self._nodes += 1
        if depth > _DEEPEST:
            return {}
        match type:
            case Ref(name=name):
                if name not in self.definitions:
                    self.definitions[name] = {}
                    self._waiting.append(name)
                reference: Schema = {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1')}"}
                return {"anyOf": [reference, {"type": "null"}]} if type.nullable else reference
            case Scalar():
                return _scalar(type)
            case Array(items=items):
                return {"type": _kind("array", type.nullable), "items": self._schema(items, depth + 1)}
            case Object():
                return self._object(type, depth)
            case Union(members=members):
                written = [self._schema(member, depth + 1) for member in members]
                return {"anyOf": [*written, {"type": "null"}] if type.nullable else written}
            case Anything():
                return {}
            case _:
                assert_never(type)

    def _object(self, type: Object, depth: int) -> Schema:
        schema: Schema = {"type": _kind("object", type.nullable)}
        if required := [known.name for known in type.fields if known.required]:
            schema["required"] = required
        properties = {}
        for known in type.fields:
            written = self._schema(known.type, depth + 1)
            if known.read_only:
                written = {**_beside(written), "readOnly": True}
            if known.write_only:
                written = {**_beside(written), "writeOnly": True}
            if (example := _example(known.example)) is not None and "$ref" not in written and "anyOf" not in written:
                written["examples"] = [example]
            properties[known.name] = written
        if properties:
            schema["properties"] = properties
        if type.extra is not None:
            schema["additionalProperties"] = self._schema(type.extra, depth + 1)
        return schema


def _scalar(type: Scalar) -> Schema:
    schema: Schema = {"type": _kind(type.kind, type.nullable)}
    if type.enum:
        schema["enum"] = [*type.enum, *([None] if type.nullable and None not in type.enum else [])]
    if type.format:
        schema["format"] = type.format
    if type.max_length is not None:
        schema["maxLength"] = type.max_length
    return schema


def _kind(name: str, nullable: bool) -> str | list[str]:
    return [name, "null"] if nullable and name != "null" else name


def _beside(schema: Schema) -> Schema:
    """A schema that takes keywords beside its own: a reference is wrapped."""
    return {"anyOf": [schema]} if "$ref" in schema else schema


def _example(value: Json) -> Json:
    """An example that is worth its place: a scalar or a short list of scalars."""
    if isinstance(value, list):
        return value if value and len(value) <= 5 and all(_example(item) is not None for item in value) else None
    if isinstance(value, dict) or value is None:
        return None
    return value if len(str(value)) <= _LONGEST_EXAMPLE else None


# --- finding one's way in types ---------------------------------------------------------------------------------------


def type_at(api: Api, type: Type | None, path: JsonPath | Path) -> Type | None:
    """The type of the field at a path; None when the types do not say. Of a union, the first member that has the field."""
    for step in path:
        type = _below(api, type, None if step is EACH or isinstance(step, int) else str(step))
    return api.resolve(type) if type is not None else None


def _below(api: Api, type: Type | None, name: str | None) -> Type | None:
    match api.resolve(type) if type is not None else None:
        case Object() as known if name is not None:
            found = known.field(name)
            return found.type if found is not None else known.extra
        case Array(items=items) if name is None:
            return items
        case Union(members=members):
            below = (_below(api, member, name) for member in members)
            return next((found for found in below if found is not None), None)
        case _:
            return None
