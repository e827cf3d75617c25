"""Components that are nothing but each other, found whether or not anything uses them.

An edge leads from a schema to what it *is*: the target of its `$ref`, the members of its `allOf`. A circle of such edges has no
meaning. Edges to parts (properties, items, alternatives) may form circles, and are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import pointers
from .keywords import as_list
from .refs import Target

if TYPE_CHECKING:
    from .build import Builder


def report(builder: Builder) -> None:
    """One error for each circle among the components of the root file."""
    document = builder.document
    if document.version == "2.0":
        at, published = "#/definitions", document.value.get("definitions")
    else:
        components = document.value.get("components")
        at, published = "#/components/schemas", components.get("schemas") if isinstance(components, dict) else None
    if not isinstance(published, dict):
        return
    edges = {
        name: [target for target in _is(builder, schema) if target in published]
        for name, schema in published.items()
        if isinstance(schema, dict) and ("$ref" in schema or "allOf" in schema)
    }
    done: set[str] = set()
    for name in edges:
        circle = _circle(edges, name, done)
        if circle:
            shown = " → ".join(circle[:4]) + (" → …" if len(circle) > 4 else f" → {circle[0]}")
            message = f"these schemas are nothing but each other: {shown}"
            builder.reports.error("V114", message, document.file, pointers.join(at, circle[0]))


def _is(builder: Builder, schema: Any, depth: int = 0) -> Iterator[str]:
    """Names of the components that a schema is, by `$ref` and `allOf`."""
    if not isinstance(schema, dict) or depth > builder.document.limits.schema_depth:
        return
    ref = schema.get("$ref")
    if isinstance(ref, str):
        names = _component(ref)
        if names is not None:
            yield names
        elif isinstance(target := builder.refs.peek(ref, builder.document.file), Target):
            yield target.key
    for member in as_list(schema.get("allOf")):
        yield from _is(builder, member, depth + 1)


def _component(ref: str) -> str | None:
    """The component's name in the plain form of a reference, without following it."""
    for prefix in ("#/components/schemas/", "#/definitions/"):
        if ref.startswith(prefix):
            try:
                names = pointers.parse(ref[len(prefix) - 1 :])
            except pointers.BadPointer:
                return None
            return names[0] if len(names) == 1 else None
    return None


def _circle(edges: dict[str, list[str]], start: str, done: set[str]) -> list[str]:
    """A circle that can be reached from `start`, not through what is done; everything met is done after."""
    path: list[str] = []
    on_path: dict[str, int] = {}
    stack: list[tuple[str, Iterator[str]]] = []

    def enter(name: str) -> None:
        done.add(name)
        on_path[name] = len(path)
        path.append(name)
        stack.append((name, iter(edges.get(name, ()))))

    if start in done:
        return []
    enter(start)
    while stack:
        name, targets = stack[-1]
        for target in targets:
            if target in on_path:
                return path[on_path[target] :]
            if target not in done:
                enter(target)
                break
        else:
            stack.pop()
            path.pop()
            del on_path[name]
    return []
