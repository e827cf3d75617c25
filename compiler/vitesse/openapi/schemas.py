"""One schema → one Type. References stay references; what they lead to is built when somebody asks for it.

`combine` holds what several schemas say about one value (allOf, oneOf, anyOf); here is what one schema says by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..api.model import Anything, Array, Field, Object, Ref, Scalar, Type
from ..api.model import Union as UnionType
from . import combine, pointers, scalars
from .keywords import (
    OBJECT,
    SCALAR_KINDS,
    SEVERAL,
    SHAPE,
    UNREAD,
    as_list,
    as_nullable,
    example_of,
    is_null,
    kind_of_value,
    says_nullable,
)
from .limits import Limits
from .refs import Refs, Target
from .reports import Reports, shown

DESCRIPTION_CHARACTERS = 400


class Schemas:
    """Reads schemas of one document. `targets` is what references met so far lead to, by key."""

    def __init__(self, refs: Refs, reports: Reports, limits: Limits, version: str) -> None:
        self.refs = refs
        self.reports = reports
        self.limits = limits
        self.siblings = version not in ("2.0", "3.0")
        """From 3.1 on, what stands beside a `$ref` counts in full."""
        self.targets: dict[str, Target] = {}
        self._plain: dict[str, Type | None] = {}
        self.merging: list[frozenset[tuple[str, str]]] = []
        """Properties whose several schemas are being merged right now: a circle of them ends here."""
        self._depth = 0
        self._reading: set[tuple[str, str]] = set()
        """Places of the schemas that are being read right now, from the component or operation on that is built."""
        self._count = 0

    def read(self, schema: Any, file: str, pointer: str, title: str = "") -> Type:
        """The type of one schema.

        Args:
            title: The component's name, when the schema is a component.
        """
        if not isinstance(schema, dict):
            return self._not_an_object(schema, file, pointer)
        at = (file, pointer)
        if at in self._reading:  # a merge takes its parts' properties in, and one of these leads back to the merge
            target = self.refs.at(schema, file, pointer)
            self.targets.setdefault(target.key, target)
            return Ref(name=target.key, nullable=says_nullable(schema), place=self.reports.place(file, pointer))
        self._reading.add(at)
        self._depth += 1
        self._count += 1
        try:
            if self._count > self.limits.schemas:
                return self._too_many(file, pointer)
            if self._depth > self.limits.schema_depth:
                message = (
                    f"schemas stand inside one another, and the limit `schema_depth` is {self.limits.schema_depth}"
                )
                self.reports.error("V105", message, file, pointer)
                return self.anything(file, pointer)
            if "$ref" in schema:
                type = self._read_ref(schema, file, pointer, title)
            elif not SEVERAL.isdisjoint(schema):
                type = combine.read(self, schema, file, pointer, title)
            else:
                return self.read_plain(schema, file, pointer, title)
            if "default" in schema and isinstance(type, Scalar):
                scalars.check_default(schema, type, file, pointer, self.reports)
            return type
        finally:
            self._depth -= 1
            self._reading.discard(at)

    def _too_many(self, file: str, pointer: str) -> Type:
        """Merging copies what it merges, so that a small file can ask for any number of schemas."""
        if self._count == self.limits.schemas + 1:
            message = f"its schemas, merged as they ask for, are more, and the limit `schemas` is {self.limits.schemas}"
            self.reports.error("V105", message, file, pointer)
        return self.anything(file, pointer)

    def component(self, key: str) -> Type:
        """Build the type that a Ref of this key stands for."""
        target = self.targets[key]
        around = self._reading, self.merging
        self._reading, self.merging = set(), []  # the same wherever it is met first
        try:
            with self.reports.of(("type", key)):
                type = self.read(target.value, target.file, target.pointer, target.title)
                if isinstance(type, Ref) and self._leads_back(type, key):
                    self.reports.error("V114", "a schema that is only another name leads back to itself", *_at(target))
                    return self.anything(target.file, target.pointer)
            return type
        finally:
            self._reading, self.merging = around

    def _leads_back(self, type: Type, key: str) -> bool:
        seen = {key}
        while isinstance(type, Ref):
            if type.name in seen:
                return True
            seen.add(type.name)
            target = self.targets[type.name]
            type = self.read(target.value, target.file, target.pointer)
        return False

    def anything(self, file: str, pointer: str) -> Anything:
        return Anything(place=self.reports.place(file, pointer))

    # --- references ---------------------------------------------------------------------------------------------------

    def _read_ref(self, schema: dict[str, Any], file: str, pointer: str, title: str) -> Type:
        beside = SHAPE.intersection(schema) - {"$ref"}
        if beside and self.siblings:
            return combine.read(self, schema, file, pointer, title)
        if beside:
            names = ", ".join(f"`{name}`" for name in sorted(beside))
            message = f"{names} beside a `$ref` does not count before OpenAPI 3.1; it is not read"
            self.reports.note("V216", message, file, pointer)
        return self.refer(schema["$ref"], file, pointer, nullable=says_nullable(schema))

    def refer(self, ref: object, file: str, pointer: str, *, nullable: bool) -> Type:
        """A Ref to what `ref` leads to, or the thing itself where it is no more than a scalar or says nothing at all."""
        target = self.refs.follow(ref, file, pointer)
        if target is None:
            return self.anything(file, pointer)
        plain = self._plain_type(target)
        if plain is None:
            self.targets.setdefault(target.key, target)
            return Ref(name=target.key, nullable=nullable, place=self.reports.place(file, pointer))
        return as_nullable(plain) if nullable else plain

    def _plain_type(self, target: Target) -> Type | None:
        """The type of a component that names a scalar or anything; None for what has parts."""
        if target.key not in self._plain:
            self._plain[target.key] = None
            if self._is_plain(target.value, target.file, 0):
                self.targets.setdefault(target.key, target)
                self._plain[target.key] = self.component(target.key)
                del self.targets[target.key]
        return self._plain[target.key]

    def _is_plain(self, schema: Any, file: str, depth: int) -> bool:
        if not isinstance(schema, dict) or depth > self.limits.ref_chain:
            return not isinstance(schema, dict)
        if "$ref" in schema:
            inside = self.refs.peek(schema["$ref"], file) if isinstance(schema["$ref"], str) else None
            return isinstance(inside, Target) and self._is_plain(inside.value, inside.file, depth + 1)
        if not OBJECT.isdisjoint(schema) or "items" in schema or "prefixItems" in schema:
            return False
        types = schema.get("type")
        if types in ("object", "array") or (isinstance(types, list) and not SCALAR_KINDS.issuperset(map(str, types))):
            return False
        members = [
            member for key in ("allOf", "oneOf", "anyOf") if isinstance(schema.get(key), list) for member in schema[key]
        ]
        if len(members) > 50:
            return False
        return all(self._is_plain(member, file, depth + 1) for member in members)

    # --- one schema by itself -----------------------------------------------------------------------------------------

    def read_plain(self, schema: dict[str, Any], file: str, pointer: str, title: str = "") -> Type:
        """The type of a schema without references and without allOf, oneOf and anyOf."""
        if not UNREAD.isdisjoint(schema):
            self._name_unread(schema, file, pointer)
        kinds, format, nullable = self.kinds_of(schema, file, pointer)
        if not kinds:
            if schema.get("type") in ("null", ["null"]) or is_null(schema):
                return Scalar(kind="null", nullable=True, place=self.reports.place(file, pointer))
            return self.anything(file, pointer)
        if len(kinds) == 1:
            return self._read_kind(kinds[0], schema, format, nullable, file, pointer, title)
        members = [self._read_kind(kind, schema, format, False, file, pointer, title) for kind in kinds]
        nullable = nullable or any(member.nullable for member in members)
        bare = tuple(replace(member, nullable=False) if member.nullable else member for member in members)
        return UnionType(members=bare, nullable=nullable, place=self.reports.place(file, pointer))

    def _read_kind(
        self, kind: str, schema: dict[str, Any], format: str | None, nullable: bool, file: str, pointer: str, title: str
    ) -> Type:
        if kind == "object":
            return self._read_object(schema, nullable, file, pointer, title)
        if kind == "array":
            return self._read_array(schema, nullable, file, pointer)
        if "enum" in schema and len(self.kinds_of(schema, file, pointer)[0]) > 1:
            schema = schema | {"enum": [v for v in as_list(schema["enum"]) if v is None or kind_of_value(v) == kind]}
        scalar = scalars.read_scalar(
            schema,
            scalars.KINDS[kind],
            format=format,
            nullable=nullable,
            file=file,
            pointer=pointer,
            reports=self.reports,
            enum_limit=self.limits.enum_values,
        )
        if "default" in schema:
            scalars.check_default(schema, scalar, file, pointer, self.reports)
        return scalar

    def kinds_of(self, schema: dict[str, Any], file: str, pointer: str) -> tuple[tuple[str, ...], str | None, bool]:
        """The kinds a schema admits (null apart), its format, and whether it admits null."""
        nullable = says_nullable(schema)
        published = schema.get("type")
        format = schema.get("format")
        format = format if isinstance(format, str) else None
        if isinstance(published, list):
            names = [name for name in published if name != "null"]
            nullable = nullable or len(names) < len(published)
        elif published == "null":
            return (), format, True
        else:
            names = [published] if published is not None else []
        if not names:
            return self._implied_kinds(schema), format, nullable
        kinds: list[str] = []
        for name in names:
            kind, implied = self._kind(name, file, pointer)
            if kind is None:
                return (), format, True
            format = format or implied
            if kind not in kinds:
                kinds.append(kind)
        if "integer" in kinds and "number" in kinds:
            kinds.remove("integer")
        return tuple(kinds), format, nullable

    def _kind(self, name: object, file: str, pointer: str) -> tuple[str | None, str | None]:
        if isinstance(name, str):
            if name in SCALAR_KINDS or name in ("object", "array"):
                return name, None
            lower = name.strip().lower()
            if lower == "any":
                return None, None
            meant = (lower, None) if lower in SCALAR_KINDS | {"object", "array"} else scalars.MISSPELT.get(lower)
            if meant is not None:
                if name != "file":  # Swagger 2.0 has that one
                    message = f"the type `{shown(name)}` is not one of JSON Schema's; it is read as {meant[0]}"
                    self.reports.warn("V201", message, file, pointers.join(pointer, "type"))
                return meant
        self.reports.error("V201", f"the type `{shown(name)}` is not known", file, pointers.join(pointer, "type"))
        return None, None

    def _implied_kinds(self, schema: dict[str, Any]) -> tuple[str, ...]:
        if not OBJECT.isdisjoint(schema) or isinstance(schema.get("required"), list):
            return ("object",)
        if "items" in schema or "prefixItems" in schema:
            return ("array",)
        values = as_list(schema.get("enum")) + ([schema["const"]] if "const" in schema else [])
        kinds = dict.fromkeys(kind_of_value(value) for value in values if value is not None)
        if kinds:
            if "integer" in kinds and "number" in kinds:
                del kinds["integer"]
            return tuple(kinds)
        if (
            schema.get("format") in ("date", "date-time", "uuid", "email", "uri", "byte", "binary")
            or "maxLength" in schema
        ):
            return ("string",)
        return ()

    def _read_array(self, schema: dict[str, Any], nullable: bool, file: str, pointer: str) -> Array:
        place = self.reports.place(file, pointer)
        items = schema.get("items")
        most = schema.get("maxItems")
        most = most if type(most) is int and most >= 0 else None
        if not scalars.BOUNDS.isdisjoint(schema):
            scalars.check_bounds(schema, file, pointer, self.reports)
        at = pointers.join(pointer, "items")
        by_position = items if isinstance(items, list) else schema.get("prefixItems")
        if isinstance(by_position, list):
            at = at if by_position is items else pointers.join(pointer, "prefixItems")
            message = "the items have a schema by position; all positions are read as any of them"
            self.reports.note("V212", message, file, at)
            read = combine.union(self, by_position, {}, file, at, "")
            if isinstance(items, dict):
                rest = self.read(items, file, pointers.join(pointer, "items"))
                read = combine.union_of(self, [read, rest], file, pointer)
            return Array(items=read, nullable=nullable, max_items=most, place=place)
        if items is None:
            return Array(items=self.anything(file, pointer), nullable=nullable, max_items=most, place=place)
        return Array(items=self.read(items, file, at), nullable=nullable, max_items=most, place=place)

    def _read_object(self, schema: dict[str, Any], nullable: bool, file: str, pointer: str, title: str) -> Object:
        if isinstance(schema.get("discriminator"), dict) and schema["discriminator"].get("mapping"):
            message = (
                "the discriminator names subtypes, and nothing says where they may stand; only the fields here are read"
            )
            self.reports.note("V213", message, file, pointers.join(pointer, "discriminator"))
        properties = schema.get("properties")
        required = self.required_of(schema, file, pointer)
        fields: tuple[Field, ...] = ()
        if isinstance(properties, dict):
            at = pointer + "/properties"
            fields = tuple(
                self.field(name, [(property, file, pointers.join(at, name))], name in required)
                for name, property in properties.items()
                if self.is_name(name, file, at)
            )
        elif properties is not None:
            self.reports.error("V110", "`properties` is not an object", file, pointers.join(pointer, "properties"))
        return Object(
            fields=fields,
            extra=self.extra_of(schema, file, pointer, has_fields=bool(fields)),
            nullable=nullable,
            title=title,
            place=self.reports.place(file, pointer),
        )

    def is_name(self, name: str, file: str, pointer: str) -> bool:
        bound = self.limits.name_characters
        if len(name) > bound:
            message = f"the name `{shown(name)}` has {len(name)} characters, and the limit `name_characters` is {bound}"
            self.reports.error("V105", message, file, pointer)
        return len(name) <= bound

    def field(self, name: str, schemas: list[tuple[Any, str, str]], required: bool) -> Field:
        """One property, from the one or several schemas that are given for it."""
        schema, file, pointer = schemas[0]
        if len(schemas) == 1:
            type = self.read(schema, file, pointer)
        else:
            type = combine.merged(self, schemas)
        said = [part for part, _, _ in schemas if isinstance(part, dict)]
        if len(said) == 1 and "$ref" in said[0] and isinstance(type, Scalar):
            target = self.refs.peek(str(said[0]["$ref"]), file)
            if isinstance(target, Target) and isinstance(target.value, dict):
                said.append(target.value)
        description = next((part["description"] for part in said if isinstance(part.get("description"), str)), "")
        return Field(
            name=name,
            type=type,
            required=required,
            read_only=any(part.get("readOnly") is True for part in said),
            write_only=any(part.get("writeOnly") is True for part in said),
            description=description[:DESCRIPTION_CHARACTERS],
            example=next((example_of(part) for part in said if example_of(part) is not None), None),
            place=self.reports.place(file, pointer),
        )

    def required_of(self, schema: dict[str, Any], file: str, pointer: str) -> frozenset[str]:
        """The names in `required`. A truth value there, as old files have it, is about the schema's owner."""
        required = schema.get("required")
        if required is None or isinstance(required, bool):
            return frozenset()
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            self.reports.error("V110", "`required` is not a list of names", file, pointers.join(pointer, "required"))
            return frozenset()
        return frozenset(required)

    def extra_of(self, schema: dict[str, Any], file: str, pointer: str, *, has_fields: bool) -> Type | None:
        """The type of keys that are not named; None when the schema closes the object or says nothing."""
        for key in ("additionalProperties", "unevaluatedProperties"):
            extra = schema.get(key)
            if isinstance(extra, dict):
                return self.read(extra, file, pointers.join(pointer, key))
            if extra is True:
                return self.anything(file, pointers.join(pointer, key))
            if extra not in (None, False):
                self.reports.warn(
                    "V110", f"`{key}` is neither a schema nor a truth value", file, pointers.join(pointer, key)
                )
        patterns = schema.get("patternProperties")
        if isinstance(patterns, dict) and patterns:
            at = pointers.join(pointer, "patternProperties")
            listed = [(value, file, pointers.join(at, name)) for name, value in patterns.items()]
            if len(listed) == 1:
                return self.read(*listed[0])
            return combine.union_of(self, [self.read(*one) for one in listed], file, at)
        free = not has_fields and schema.get("additionalProperties") is None
        return self.anything(file, pointer) if free else None

    # --- what is not read ---------------------------------------------------------------------------------------------

    def _not_an_object(self, schema: Any, file: str, pointer: str) -> Type:
        if schema is False:
            self.reports.warn("V212", "the schema `false` admits no value; it is read as admitting any", file, pointer)
        elif schema is not True and schema is not None:
            self.reports.error("V110", "a schema is neither an object nor a truth value", file, pointer)
        return self.anything(file, pointer)

    def _name_unread(self, schema: dict[str, Any], file: str, pointer: str) -> None:
        for key in ("$dynamicRef", "$recursiveRef"):
            if key in schema:
                message = f"`{key}` is not followed; the value is read as anything"
                self.reports.error("V212", message, file, pointers.join(pointer, key))
        for key in ("$id", "$anchor"):
            if isinstance(schema.get(key), str):
                self.reports.note("V212", f"`{key}` gives no name here; references are pointers", file, pointer)


def _at(target: Target) -> tuple[str, str]:
    return target.file, target.pointer
