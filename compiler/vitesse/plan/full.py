"""Types of an API, whole → models with every field typed.

The counterpart of `shape`, which keeps only what a mapping uses. Serves `models: full` and the proof that an operation
compiles. A component becomes one class however often it is met, so recursion ends by itself; what recurs without an object in
between (a list of itself) has no class to name and is read as anything from its second level on, which is said (V212).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..api.model import Anything, Api, Array, Field, Object, Ref, Scalar, Type, Union
from ..diagnostics import Diagnostic, Place
from .model import Model, ModelField, PyType
from .names import Scope, pascal, singular, snake
from .shape import ANYTHING, SCALARS, alternatives

_DEPTH = 100
"""Lists, maps and unions inside one another that are followed; the loader's own limit on schemas is higher."""


@dataclass(slots=True, kw_only=True)
class FullModels:
    """Makes the models of one module. `models` has them once `finish` was called, nested ones first where none recurs."""

    api: Api
    system: str
    """What the API is called, for docstrings."""
    classes: Scope
    """Class names of the module so far."""
    reads: bool
    """True for records that are read: they lack what is only written. False for bodies: they lack what is only read."""
    required: bool = True
    """False when every field may be missing, whatever the description says."""
    files: bool = False
    """True where `format: binary` is a file to send (multipart)."""
    models: list[Model] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)
    _named: dict[tuple[str, bool], PyType] = field(default_factory=dict)
    """(component, whether files are bytes) → its type."""
    _open: set[str] = field(default_factory=set)
    _waiting: list[tuple[str, Object, bool]] = field(default_factory=list)
    _made: dict[str, Model] = field(default_factory=dict)

    def type_of(self, type: Type, name: str) -> PyType:
        """The Python type of a value; classes for its objects are made by `finish`.

        Args:
            name: What a class for it would be called when the spec does not name it.
        """
        return self._type(type, name, 0)

    def finish(self) -> None:
        """Make the classes that were asked for, and all that they lead to."""
        while self._waiting:
            name, known, files = self._waiting.pop()
            before, self.files = self.files, files
            self._made[name] = self._class(name, known)
            self.files = before
        self.models = _nested_first(self._made)

    def _type(self, type: Type, name: str, depth: int) -> PyType:
        match type:
            case Ref():
                found = self._component(type, name, depth)
                return replace(found, nullable=True) if type.nullable and found != ANYTHING else found
            case Scalar(kind="string", format="binary") if self.files:
                return PyType(scalar="bytes", nullable=type.nullable)
            case Scalar(kind=kind):
                scalar = SCALARS[kind]
                return PyType(scalar=scalar, nullable=type.nullable and scalar != "Any")
            case Array(items=items):
                return PyType(items=self._inside(items, singular_name(name), depth, type), nullable=type.nullable)
            case Object(fields=(), extra=extra):
                values = ANYTHING if extra is None else self._inside(extra, singular_name(name), depth, type)
                return PyType(values=values, nullable=type.nullable)
            case Object():
                return replace(self._claimed(type, type.title or name), nullable=type.nullable)
            case Union(members=members):
                return self._union([self._inside(member, name, depth, type) for member in members], type.nullable)
            case Anything():
                return ANYTHING

    def _inside(self, type: Type, name: str, depth: int, around: Type) -> PyType:
        if depth < _DEPTH:
            return self._type(type, name, depth + 1)
        self._loosely(around, "it is nested deeper than types in Python can be")
        return ANYTHING

    def _component(self, ref: Ref, name: str, depth: int) -> PyType:
        key = (ref.name, self.files)
        if key in self._named:
            return self._named[key]
        resolved = self.api.types[ref.name]
        if isinstance(resolved, Object) and resolved.fields:
            found = replace(self._claimed(resolved, resolved.title or ref.name), nullable=resolved.nullable)
        elif ref.name in self._open:
            self._loosely(resolved, "it holds itself with no object in between")
            return ANYTHING
        else:
            self._open.add(ref.name)
            found = self._inside(resolved, last_part(ref.name) or name, depth, resolved)
            self._open.discard(ref.name)
        self._named[key] = found
        return found

    def _claimed(self, known: Object, name: str) -> PyType:
        claimed = self.classes.claim(pascal(last_part(name), otherwise="Part"))
        self._waiting.append((claimed, known, self.files))
        return PyType(model=claimed)

    def _union(self, members: Sequence[PyType], nullable: bool) -> PyType:
        """One type of several; unions in it are laid open, and one that may be anything is just that."""
        kinds: dict[PyType, None] = {}
        for member in members:
            nullable = nullable or member.nullable
            for kind in member.union or (member,):
                kinds[replace(kind, nullable=False)] = None
        if not kinds or ANYTHING in kinds:
            return ANYTHING
        if len(kinds) == 1:
            return replace(next(iter(kinds)), nullable=nullable)
        return PyType(union=tuple(kinds), nullable=nullable)

    def _class(self, name: str, known: Object) -> Model:
        names = Scope()
        fields = []
        if known.extra is not None:
            self._say(known, "keys of any name are admitted here; the class has those that are named")
        for one in known.fields:
            if one.write_only if self.reads else one.read_only:
                continue
            type = replace(
                self._type(one.type, f"{name} {singular(one.name)}", 0), may_miss=not (one.required and self.required)
            )
            fields.append(
                ModelField(
                    name=names.claim(snake(one.name, otherwise="field", inner=True)), wire_name=one.name, type=type
                )
            )
        return Model(name=name, doc=f"{name} ({self.system}).", fields=tuple(fields))

    def _loosely(self, type: Type, why: str) -> None:
        self._say(type, f"a part of the schema is compiled as any value: {why}")

    def _say(self, type: Type, message: str) -> None:
        self.found.append(Diagnostic(code="V212", severity="note", message=message, places=(Place.of(type.place),)))


def last_part(key: str) -> str:
    """The name in a component's key: `schemas/pet.yaml#/Pet` → `Pet`."""
    return key.replace("#", "/").rstrip("/").rpartition("/")[2].removesuffix(".yaml").removesuffix(".json")


def singular_name(name: str) -> str:
    head, _, last = name.rpartition(" ")
    return f"{head} {singular(last)}".strip()


def merged(api: Api, type: Type) -> Object | None:
    """The one object that a reply is read as: itself, or the fields of all objects of a union, together.

    A field is required when all have and require it; where they differ about its type, it may be of either. None when a
    member is no object.
    """
    resolved = api.resolve(type)
    if isinstance(resolved, Object):
        return resolved
    if not isinstance(resolved, Union):
        return None
    parts = list(alternatives(api, resolved))
    objects = [part for part in parts if isinstance(part, Object)]
    return _together(objects, resolved) if objects and len(objects) == len(parts) else None


def _together(parts: list[Object], union: Union) -> Object:
    fields: dict[str, list[Field]] = {}
    for part in parts:
        for one in part.fields:
            fields.setdefault(one.name, []).append(one)
    kept = [
        replace(
            ones[0],
            type=_either([one.type for one in ones]),
            required=len(ones) == len(parts) and all(one.required for one in ones),
        )
        for ones in fields.values()
    ]
    return Object(fields=tuple(kept), nullable=union.nullable, place=union.place)


def _either(types: Iterable[Type]) -> Type:
    distinct = list(dict.fromkeys(types))
    return distinct[0] if len(distinct) == 1 else Union(members=tuple(distinct), place=distinct[0].place)


def _nested_first(made: dict[str, Model]) -> list[Model]:
    """Models after those they hold, as far as none holds itself; without recursion, for chains are long."""
    order: dict[str, None] = {}
    begun: set[str] = set()
    for root in made:
        stack = [(root, False)]
        while stack:
            name, is_left = stack.pop()
            if is_left:
                order[name] = None
            elif name not in begun:
                begun.add(name)
                stack.append((name, True))
                inner = [held for one in made[name].fields for held in models_in(one.type)]
                stack += [(held, False) for held in reversed(inner) if held not in begun]
    return [made[name] for name in order]


def models_in(type: PyType) -> list[str]:
    """Class names that a type names, in order."""
    parts = [part for part in (type.items, type.values, *type.union) if part is not None]
    return [*([type.model] if type.model is not None else []), *(name for part in parts for name in models_in(part))]
