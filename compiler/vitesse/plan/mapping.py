"""Reviewed rules of one stream → the body of its mapper and the models of its destination.

The rules form a tree by their destination paths. An object in it becomes a `Construct`, a list becomes one `each` over the
list its rules read (or a list of one, when they read none), a rule becomes one filled field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..api.model import Api, Type
from ..api.paths import EACH, Path
from ..rules.model import CheckedRule
from .model import Call, Construct, FilledField, Items, Model, ModelField, Pick, PyType
from .names import Scope, pascal, singular, snake
from .shape import as_array, as_object, is_nullable, other_field
from .spelling import spelled
from .typed import VALUES, Imports, Root, Typed, call, is_absent, read


@dataclass(slots=True, kw_only=True)
class _Node:
    """A part of the destination: fields by wire name, the items of a list, or a rule."""

    children: dict[str, _Node] = field(default_factory=dict)
    each: _Node | None = None
    rule: CheckedRule | None = None

    def rules(self) -> list[CheckedRule]:
        found = [self.rule] if self.rule is not None else []
        below = [*self.children.values(), *([self.each] if self.each is not None else [])]
        return [*found, *(rule for node in below for rule in node.rules())]


@dataclass(slots=True, kw_only=True)
class BodyMaker:
    """Makes one stream's destination body: expressions, and the models that hold them."""

    api: Api
    system: str
    classes: Scope
    imports: Imports
    others: Callable[[Type, str], PyType] | None = None
    """Types the fields that no rule fills; None leaves them out of the models."""
    models: list[Model] = field(default_factory=list)

    def body(self, type: Type | None, rules: Sequence[CheckedRule], root: Root, class_name: str) -> Construct:
        """The whole body. Fields stand in the order of the destination's schema."""
        tree = _Node()
        for rule in rules:
            node = tree
            for segment in rule.rule.destination:
                if segment is EACH:
                    node.each = node.each or _Node()
                    node = node.each
                else:
                    node = node.children.setdefault(str(segment), _Node())
            node.rule = rule
        return self._object(type, tree, (root,), (), class_name)

    def _object(
        self, type: Type | None, node: _Node, roots: tuple[Root, ...], prefix: Path, class_name: str
    ) -> Construct:
        known = as_object(self.api, type)
        order = {found.name: position for position, found in enumerate(known.fields)} if known else {}
        names = Scope()
        filled: list[FilledField] = []
        fields: list[ModelField] = []
        keys = {*node.children, *(order if self.others is not None else ())}
        for key in sorted(keys, key=lambda key: (order.get(key, len(order)), key)):
            found = known.field(key) if known else None
            if key not in node.children:
                assert found is not None
                if (other := other_field(found, class_name, names, self.others, reads=False)) is not None:
                    fields.append(other)
                continue
            below = node.children[key]
            target = found.type if found else (known.extra if known else None)
            name = names.claim(snake(key, otherwise="field", inner=True))
            value = self._value(target, below, roots, prefix, class_name, key)
            filled.append(
                FilledField(
                    name=name,
                    value=value.expression,
                    rule=below.rule.id if below.rule is not None else None,
                )
            )
            fields.append(ModelField(name=name, wire_name=key, type=value.type))
        self.models.append(Model(name=class_name, doc=f"{class_name} ({self.system}).", fields=tuple(fields)))
        return Construct(model=class_name, fields=tuple(filled))

    def _value(
        self, type: Type | None, node: _Node, roots: tuple[Root, ...], prefix: Path, owner: str, key: str
    ) -> Typed:
        if node.rule is not None:
            return self._rule(node.rule, roots, prefix)
        if node.each is not None:
            return self._list(type, node.each, roots, prefix, owner, key)
        name = self.classes.claim(pascal(f"{owner} {singular(key)}", otherwise="Part"))
        part = self._object(type, node, roots, prefix, name)
        model = self.models[-1]
        if all(field.type.may_miss for field in model.fields):
            kept = Call(function=self.imports.use(VALUES, "present"), arguments=(part,))
            return Typed(expression=kept, type=PyType(model=name, may_miss=True))
        return Typed(expression=part, type=PyType(model=name))

    def _list(
        self, type: Type | None, item: _Node, roots: tuple[Root, ...], prefix: Path, owner: str, key: str
    ) -> Typed:
        array = as_array(self.api, type)
        inner_type = array.items if array is not None else None
        common = _common_list(item.rules(), prefix)
        if common is None:
            element = self._value(inner_type, item, roots, prefix, owner, singular(key))
            if is_absent(element.type):
                wrapped = call(self.imports, VALUES, "wrap", element.expression)
                kind = replace(element.type, nullable=False, may_miss=False)
                return Typed(
                    expression=wrapped,
                    type=PyType(items=kind, nullable=element.type.nullable, may_miss=element.type.may_miss),
                )
            return Typed(expression=Items(items=(element.expression,)), type=PyType(items=element.type))
        listed = read(roots[-1], common[len(prefix) : -1], self.imports)
        shape = roots[-1].shape
        for segment in common[len(prefix) :]:
            below = shape.each if segment is EACH else shape.children[str(segment)]
            assert below is not None
            shape = below
        variable = "it" if len(roots) == 1 else f"it{len(roots)}"
        here = Root(variable=variable, shape=shape, type=replace(shape.type, nullable=False, may_miss=False))
        element = self._value(inner_type, item, (*roots, here), common, owner, singular(key))
        loop = Call(
            function=self.imports.use(VALUES, "each"),
            arguments=(listed.expression, Pick(variable=variable, body=element.expression)),
        )
        kind = PyType(items=replace(element.type, nullable=False, may_miss=False), may_miss=listed.type.may_miss)
        if listed.type.nullable and not (type is None or is_nullable(self.api, type)):
            # A list has no policy of its own: where the destination takes no null, a null list says nothing.
            kept = Call(function=self.imports.use(VALUES, "null_as_missing"), arguments=(loop,))
            return Typed(expression=kept, type=replace(kind, may_miss=True))
        return Typed(expression=loop, type=replace(kind, nullable=listed.type.nullable))

    def _rule(self, rule: CheckedRule, roots: tuple[Root, ...], prefix: Path) -> Typed:
        return spelled(rule, [self._source(path, roots, prefix) for path in rule.rule.sources], self.imports)

    def _source(self, path: Path, roots: tuple[Root, ...], prefix: Path) -> Typed:
        if len(roots) > 1 and path[: len(prefix)] == prefix:
            return read(roots[-1], path[len(prefix) :], self.imports)
        return read(roots[0], path, self.imports)


def _common_list(rules: Sequence[CheckedRule], prefix: Path) -> Path | None:
    """The list below `prefix` that the rules of one destination list read from; None when none of them reads one."""
    found: Path | None = None
    for rule in rules:
        for path in rule.rule.sources:
            if path[: len(prefix)] != prefix or EACH not in path[len(prefix) :]:
                continue
            own = path[: path.index(EACH, len(prefix)) + 1]
            found = own if found is None else found
    return found
