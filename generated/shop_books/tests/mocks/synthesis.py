"""Schemas → whole records: plausible, deterministic, valid by the schema they are made from.

A record's values depend on the seed, its position, its revision and each field's own place, on nothing else. The vendor's
examples come first: record 0 takes what the description shows; later ones vary what must vary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from .form import CollectionForm, Hint, Json, Path, Schema
from .places import NOTHING, at, merge, put
from .schema import Checker
from .vocabulary import BY_FORMAT, Draw, Vary, a_time, by_name, is_time_name, iso, words

Make: TypeAlias = Callable[[int, int], Json]
"""(position, revision) → value."""

_WHOLE_DEPTH = 2
"""Objects are whole down to this depth; below it they hold what is required or wanted."""
_DEEPEST = 8

_BIG = 9_007_199_254_740_993
"""2**53 + 1: an int64 identity that went through a float is no longer itself."""


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    depth: int = 0
    is_required: bool = True

    def down(self, key: str | int, *, is_required: bool = True) -> _Place:
        return _Place((*self.path, key), self.depth + (0 if isinstance(key, int) else 1), is_required)

    @property
    def name(self) -> str:
        return next((key for key in reversed(self.path) if isinstance(key, str)), "")


class Synthesis:
    """Values for the schemas of one mock API.

    Args:
        definitions: What `$ref` names.
        seed: Another seed, other values.
    """

    def __init__(self, definitions: Mapping[str, Schema], seed: int = 0) -> None:
        self._definitions = definitions
        self._seed = seed
        self._checker = Checker(definitions, "reply")

    def records(self, collection: CollectionForm, wanted: Iterable[Path] = ()) -> Callable[[int, int], Json]:
        """A function (position, revision) → one whole record of the collection.

        Args:
            wanted: Paths that must be there however deep they lie; list positions stand for every item.
        """
        unique = tuple(part.path for parts in collection.unique for part in parts)
        stamped = (*collection.created, *((collection.version,) if collection.version else ()))
        maker = _Maker(
            self, hints=collection.hints, wanted=(*wanted, *unique, *stamped, collection.identity), unique=unique
        )
        make = maker.make(collection.record, _Place(()))
        identity = self.identity(collection)
        stamp = {path: self.stamp(collection, path) for path in stamped}
        hinted = {hint.path for hint in collection.hints}
        kept = {collection.identity, *stamped, *hinted}
        has_problems = self._checker.check(collection.record)

        def record(position: int, revision: int) -> Json:
            whole = make(position, revision)
            if revision == 0 and position < len(collection.examples):
                example = _without(collection.examples[position], kept)
                candidate = merge(whole, example)
                if not has_problems(candidate):
                    whole = candidate
            whole = put(whole, collection.identity, identity(position))
            changed = Draw(self._seed, position, revision, "").changed
            for path, text in stamp.items():
                whole = put(whole, path, text(changed))
            return whole

        return record

    def identity(self, collection: CollectionForm) -> Callable[[int], Json]:
        """Position → identity, ascending in the order of its type."""
        schema = self.schema_at(collection.record, collection.identity)
        kinds = kinds_of(schema)
        if "integer" in kinds and "string" not in kinds:
            first = _BIG if schema.get("format") == "int64" else 1001
            return lambda position: first + position * 7
        if "number" in kinds:
            return lambda position: 1001 + position
        if schema.get("format") in ("uuid", "guid"):
            field = f"{collection.name}:id"
            return lambda position: BY_FORMAT["uuid"](Draw(self._seed, position, 0, field))
        example = str(next(iter(schema.get("examples", ())), ""))
        if example.isdecimal() and schema.get("maxLength", 99) >= 9:
            return lambda position: str(100_000_001 + position)
        prefix, mark, end = example.rpartition("_")
        if not mark or not end:
            prefix, end = collection.name[:12], "00000000"
        return lambda position: f"{prefix}_{position + 1:0{len(end)}d}"

    def stamp(self, collection: CollectionForm, path: Path) -> Callable[[datetime], Json]:
        """Moment → the value that a version or creation field of this type holds."""
        schema = self.schema_at(collection.record, path)
        kinds = kinds_of(schema)
        if "string" not in kinds and kinds & {"integer", "number"}:
            unit = 1000 if re.search(r"(?i)_?ms$|millis", str(path[-1])) else 1
            return lambda moment: int(moment.timestamp()) * unit
        if schema.get("format") == "date":
            return lambda moment: moment.date().isoformat()
        return iso

    def value(self, schema: Schema, name: str, position: int = 0, revision: int = 0) -> Json:
        """One whole value of a schema, such as a parameter's."""
        return _Maker(self).make(schema, _Place((name,)))(position, revision)

    def envelope(self, schema: Schema | None) -> Json:
        """The least valid value of a reply's schema: what stands around the records."""
        return {} if schema is None else _Maker(self, least=True).make(schema, _Place(()))(0, 0)

    def resolve(self, schema: Schema | bool, key: str | int | None = None) -> Schema:
        """The schema behind references; of a union, the first member that has the field `key` (or items), else the first."""
        for _ in range(100):
            if not isinstance(schema, dict):
                return {}
            if "$ref" in schema:
                schema = self._definitions[
                    schema["$ref"].removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
                ]
            elif members := schema.get("anyOf") or schema.get("oneOf"):
                real = [member for member in members if member.get("type") != "null"] or members
                schema = next((member for member in real if self._has_key(member, key)), real[0])
            else:
                return schema
        return {}

    def _has_key(self, schema: Schema, key: str | int | None) -> bool:
        if key is None:
            return True
        resolved = self.resolve(schema, key)
        if isinstance(key, int):
            return "items" in resolved
        return key in resolved.get("properties", {}) or isinstance(resolved.get("additionalProperties"), dict)

    def schema_at(self, schema: Schema, path: Path) -> Schema:
        """The schema of a field; empty when the schema does not say."""
        for key in path:
            schema = self.resolve(schema, key)
            if isinstance(key, int):
                schema = schema.get("items", {})
            else:
                extra = schema.get("additionalProperties")
                schema = schema.get("properties", {}).get(key, extra if isinstance(extra, dict) else {})
        return self.resolve(schema)

    def fits(self, schema: Schema, value: Json) -> bool:
        return not self._checker.check(schema)(value)

    @property
    def seed(self) -> int:
        return self._seed


class _Maker:
    """Compiles a schema, once, to a function that makes its values."""

    def __init__(
        self,
        synthesis: Synthesis,
        *,
        hints: Iterable[Hint] = (),
        wanted: Iterable[Path] = (),
        unique: Iterable[Path] = (),
        least: bool = False,
    ) -> None:
        self._synthesis = synthesis
        self._hints = {hint.path: hint for hint in hints}
        self._wanted = {_every(path)[:length] for path in wanted for length in range(1, len(path) + 1)}
        self._unique = {_every(path) for path in unique}
        self._least = least

    def make(self, schema: Schema | bool, place: _Place) -> Make:
        if not isinstance(schema, dict):
            return lambda position, revision: None
        below = self._below(place)
        resolved = self._synthesis.resolve(schema, next(iter(below), None))
        kinds = kinds_of(resolved)
        if not kinds and below:
            kinds = {"array"} if isinstance(below[0], int) else {"object"}
        if resolved.get("enum"):
            return self._enum(resolved["enum"], place)
        if "object" in kinds:
            return self._object(resolved, place)
        if "array" in kinds:
            return self._array(resolved, place)
        return self._leaf(resolved, kinds, place)

    def _object(self, schema: Schema, place: _Place) -> Make:
        if place.depth > _DEEPEST:
            return lambda position, revision: {}
        required = set(schema.get("required", ()))
        fields = tuple(
            (name, self.make(field, place.down(name, is_required=name in required)))
            for name, field in schema.get("properties", {}).items()
            if self._has(name, field, name in required, place)
        )
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties", {})
        fields += tuple(
            (str(key), self.make(extra, place.down(key))) for key in self._below(place) if key not in properties
        )

        def make(position: int, revision: int) -> Json:
            return {name: field(position, revision) for name, field in fields}

        return make

    def _below(self, place: _Place) -> list[str | int]:
        """What is wanted right below a place."""
        own = _every(place.path)
        return sorted({path[-1] for path in self._wanted if len(path) == len(own) + 1 and path[:-1] == own}, key=str)

    def _has(self, name: str, field: Json, is_required: bool, place: _Place) -> bool:
        if isinstance(field, dict) and field.get("writeOnly"):
            return False
        if is_required or _every((*place.path, name)) in self._wanted:
            return True
        if self._least or place.depth > _WHOLE_DEPTH:
            return False
        resolved = self._synthesis.resolve(field)
        return place.depth < _WHOLE_DEPTH or not kinds_of(resolved) & {"object", "array"}

    def _array(self, schema: Schema, place: _Place) -> Make:
        if (self._least or place.depth > _WHOLE_DEPTH) and not self._below(place):
            return lambda position, revision: []
        items = [self.make(schema.get("items", {}), place.down(number)) for number in (0, 1)]

        def make(position: int, revision: int) -> Json:
            made = [item(position, revision) for item in items]
            return made if made[0] != made[1] else made[:1]

        return make

    def _enum(self, values: list[Json], place: _Place) -> Make:
        offered = [value for value in values if value is not None and value != ""] or values
        field = str(place.path)
        seed = self._synthesis.seed
        return lambda position, revision: offered[Draw(seed, position, revision, field).number(len(offered))]

    def _leaf(self, schema: Schema, kinds: set[str], place: _Place) -> Make:
        seed, field = self._synthesis.seed, str(place.path)
        hint = self._hints.get(place.path) or self._hints.get(_every(place.path))
        if hint and hint.values:
            return self._enum(list(hint.values), place)
        if _every(place.path) in self._unique:
            return self._distinct(schema, kinds, place)
        vary = self._vary(schema, kinds, place, hint)
        examples = [] if hint else [one for one in schema.get("examples", ()) if self._synthesis.fits(schema, one)]
        is_constant = bool(examples) and "string" in kinds and not _says_something(schema, place)

        def make(position: int, revision: int) -> Json:
            if examples and revision == 0 and (position == 0 or is_constant):
                return examples[0]
            return vary(Draw(seed, position, revision, field))

        return make

    def _vary(self, schema: Schema, kinds: set[str], place: _Place, hint: Hint | None) -> Callable[[Draw], Json]:
        name, hinted = place.name, hint.kind if hint else None
        if "string" in kinds or not kinds:
            longest = min((each for each in (schema.get("maxLength"), hint and hint.longest) if each), default=None)
            text = _text(schema, name, hinted)
            return text if longest is None else lambda draw: text(draw)[:longest]
        if "boolean" in kinds:
            return lambda draw: draw.number(2) == 0
        if "integer" in kinds:
            if hinted in ("unix_s", "unix_ms"):
                return lambda draw: int(BY_FORMAT[hinted](draw))
            if is_time_name(name):
                return lambda draw: int(a_time(draw).timestamp())
            if schema.get("format") == "int64" and re.search(r"(^|_)id$|Id$", name):
                return lambda draw: _BIG + draw.number(2**31)
            return lambda draw: draw.number(100)
        if "number" in kinds:
            return lambda draw: (draw.number(1_000_000) + 1) / 100
        return lambda draw: None

    def _distinct(self, schema: Schema, kinds: set[str], place: _Place) -> Make:
        """A value that no other position has, whatever its spelling is compared by; the same for every revision."""
        seed, field = self._synthesis.seed, str(place.path)
        if "string" not in kinds and kinds:
            return lambda position, revision: 100_001 + position
        text = _text(schema, place.name, None)
        longest = schema.get("maxLength", 1000)

        def make(position: int, revision: int) -> Json:
            value = text(Draw(seed, position, 0, field))
            number = str(position)
            if number not in re.findall(r"\d+", value) and not re.search(rf"0{number}$", value):
                value = f"{value} {number}"
            return value if len(value) <= longest else value[-longest:]

        return make


def _text(schema: Schema, name: str, hinted: str | None) -> Vary:
    wished = hinted or schema.get("format")
    if wished is not None and wished.startswith("time:"):
        pattern = wished.removeprefix("time:")
        return lambda draw: a_time(draw).strftime(pattern)
    if wished in BY_FORMAT:
        return BY_FORMAT[wished]
    if (vary := by_name(name)) is not None:
        return vary
    return words


def _says_something(schema: Schema, place: _Place) -> bool:
    return schema.get("format") in BY_FORMAT or by_name(place.name) is not None


def kinds_of(schema: Schema, *, with_null: bool = False) -> set[str]:
    """The JSON types a schema admits, null aside unless asked for; empty when it admits every one."""
    names = schema.get("type")
    if names is None:
        names = [
            kind
            for kind, key in (("object", "properties"), ("object", "additionalProperties"), ("array", "items"))
            if key in schema
        ]
    kinds = {names} if isinstance(names, str) else set(names)
    return kinds if with_null else kinds - {"null"} or kinds


def _every(path: Path) -> Path:
    """The path with each list position as 0: what is said of one item is said of all."""
    return tuple(0 if isinstance(key, int) else key for key in path)


def _without(example: Json, kept: set[Path], path: Path = ()) -> Json:
    """An example without nulls and without the places the server or a hint sets."""
    if not isinstance(example, dict):
        return example
    return {
        name: _without(value, kept, (*path, name))
        for name, value in example.items()
        if value is not None and (*path, name) not in kept
    }


def hole(record: Json, path: Path, *, as_null: bool) -> Json:
    """A copy of the record in which the field is null, or missing."""
    if not path:
        return None
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        if not isinstance(record, list) or not record:
            return record
        return [hole(item, rest, as_null=as_null) for item in record] if rest else ([None] if as_null else [])
    if not isinstance(record, dict) or (key not in record and not as_null):
        return record
    if rest:
        return {**record, key: hole(record[key], rest, as_null=as_null)} if key in record else record
    if as_null:
        return {**record, key: None}
    return {name: value for name, value in record.items() if name != key}


def after_newest(count: int) -> datetime:
    """Where the mock's clock starts: an hour after the newest of `count` seeded records."""
    return Draw(0, max(count - 1, 0), 0, "").changed + timedelta(hours=1)


def has_value(record: Json, path: Path) -> bool:
    """Whether the field is there with a value, in the first item of each list: no null, no empty list."""
    value = at(record, _every(path))
    return value is not NOTHING and value is not None and value != []
