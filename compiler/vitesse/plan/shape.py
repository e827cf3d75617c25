"""Used field paths × an API's types → narrow models.

A shape is the part of a record that is used, as a tree; only what stands in it becomes a field of a model. Nothing else of
the record costs anything at run time, and a change of it at the vendor breaks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..api.model import Api, Array, Field, Object, Ref, Scalar, Type, Union
from ..api.paths import EACH, Path
from .model import Model, ModelField, PyType, ScalarName
from .names import Scope, pascal, singular, snake

ANYTHING = PyType(scalar="Any")

SCALARS: dict[str, ScalarName] = {
    "string": "str",
    "integer": "int",
    "number": "Decimal",
    "boolean": "bool",
    "null": "Any",
}


@dataclass(slots=True, kw_only=True)
class Shape:
    """One node of what is used: fields by wire name, or the items of a list."""

    children: dict[str, Shape] = field(default_factory=dict)
    each: Shape | None = None
    name: str = ""
    """The field's Python name; known once the models are made, as is `type`."""
    type: PyType = ANYTHING

    def add(self, path: Path) -> Shape:
        node = self
        for segment in path:
            if segment is EACH:
                node.each = node.each or Shape()
                node = node.each
            else:
                node = node.children.setdefault(str(segment), Shape())
        return node


def shape_of(paths: Iterable[Path]) -> Shape:
    """The tree of some paths."""
    root = Shape()
    for path in paths:
        root.add(path)
    return root


@dataclass(slots=True, kw_only=True)
class ModelMaker:
    """Makes the models of one module. Nested ones come first in `models`, the record last."""

    api: Api
    system: str
    """What the API is called, for docstrings."""
    classes: Scope
    """Class names of the module so far."""
    others: Callable[[Type, str], PyType] | None = None
    """Types the fields that nothing uses, by what a class for them would be called; None leaves such fields out."""
    models: list[Model] = field(default_factory=list)

    def record(self, type: Type | None, shape: Shape, class_name: str) -> None:
        """Make the class that reads a record of `type`, narrowed to `shape`; fields in the order of the schema."""
        known = as_object(self.api, type)
        order = {field.name: position for position, field in enumerate(known.fields)} if known else {}
        names = Scope()
        fields = []
        keys = {*shape.children, *(order if self.others is not None else ())}
        for key in sorted(keys, key=lambda key: (order.get(key, len(order)), key)):
            found = known.field(key) if known else None
            if key not in shape.children:
                assert found is not None
                if (other := other_field(found, class_name, names, self.others, reads=True)) is not None:
                    fields.append(other)
                continue
            below = shape.children[key]
            below.name = names.claim(snake(key, otherwise="field", inner=True))
            target = found.type if found else (known.extra if known else None)
            below.type = replace(
                self._type(target, below, class_name, key), may_miss=not (found is not None and found.required)
            )
            fields.append(ModelField(name=below.name, wire_name=key, type=below.type))
        self.models.append(Model(name=class_name, doc=f"{class_name} ({self.system}).", fields=tuple(fields)))

    def _type(self, type: Type | None, shape: Shape, owner: str, key: str) -> PyType:
        nullable = type is None or is_nullable(self.api, type)
        if shape.children:
            name = self.classes.claim(pascal(f"{owner} {singular(key)}", otherwise="Part"))
            self.record(type, shape, name)
            return PyType(model=name, nullable=nullable)
        if shape.each is not None:
            array = as_array(self.api, type)
            shape.each.type = self._type(array.items if array else None, shape.each, owner, singular(key))
            return PyType(items=shape.each.type, nullable=nullable)
        return replace(leaf_type(self.api, type), nullable=nullable)


def other_field(
    found: Field, owner: str, names: Scope, others: Callable[[Type, str], PyType] | None, *, reads: bool
) -> ModelField | None:
    """A field that nothing uses, where models have them all. It may always be missing: nothing stands on it."""
    if others is None or (found.write_only if reads else found.read_only):
        return None
    type = others(found.type, f"{owner} {singular(found.name)}")
    name = names.claim(snake(found.name, otherwise="field", inner=True))
    return ModelField(name=name, wire_name=found.name, type=replace(type, may_miss=True))


def is_nullable(api: Api, type: Type) -> bool:
    resolved = api.resolve(type)
    return resolved.nullable or (isinstance(resolved, Scalar) and resolved.kind == "null")


def as_object(api: Api, type: Type | None) -> Object | None:
    """The object a type is, or what the objects of a union have, together; a field is required when all require it."""
    resolved = api.resolve(type) if type is not None else None
    if isinstance(resolved, Object):
        return resolved
    if not isinstance(resolved, Union):
        return None
    objects = [known for known in alternatives(api, resolved) if isinstance(known, Object)]
    if not objects:
        return None
    fields: dict[str, Field] = {}
    for known in objects:
        for one in known.fields:
            everywhere = all((other := each.field(one.name)) is not None and other.required for each in objects)
            fields.setdefault(one.name, replace(one, required=everywhere))
    extra = next((known.extra for known in objects if known.extra is not None), None)
    return replace(objects[0], fields=tuple(fields.values()), extra=extra, nullable=resolved.nullable)


def as_array(api: Api, type: Type | None) -> Array | None:
    """The list a type is, or the first list of a union."""
    found = alternatives(api, type) if type is not None else ()
    return next((known for known in found if isinstance(known, Array)), None)


def alternatives(api: Api, type: Type) -> Iterator[Type]:
    """What a value of a type may be, unions laid open; a union that leads back to itself adds nothing."""
    seen: set[str] = set()
    stack = [type]
    while stack:
        one = stack.pop()
        while isinstance(one, Ref) and one.name not in seen:
            seen.add(one.name)
            nullable, one = one.nullable, api.types[one.name]
            one = replace(one, nullable=True) if nullable and not one.nullable else one
        if isinstance(one, Union):
            stack += reversed(one.members)
        elif not isinstance(one, Ref):
            yield one


def leaf_type(api: Api, type: Type | None, _around: frozenset[str] = frozenset()) -> PyType:
    """The Python type of a value that is read whole: scalars by kind, lists of scalars, anything else as JSON."""
    while isinstance(type, Ref):
        if type.name in _around:
            return ANYTHING
        _around |= {type.name}
        type = api.types[type.name]
    match type:
        case Scalar(kind=kind):
            return PyType(scalar=SCALARS[kind])
        case Array(items=items):
            inner = leaf_type(api, items, _around)
            return PyType(items=replace(inner, nullable=is_nullable(api, items) and inner.scalar != "Any"))
        case Union(members=members):
            kinds = {leaf_type(api, member, _around) for member in members}
            return kinds.pop() if len(kinds) == 1 else ANYTHING
        case _:
            return ANYTHING
