"""How large and how deep a document may be, and the walk that measures it.

Every bound has a name, and the diagnostic of a document that passes it says that name: a person can raise the one bound that
is in the way. Without them a few hundred bytes of aliases, or one long bracket, would take the machine.
"""

from __future__ import annotations

from typing import Any

from ..frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one document, all its files together where it has several."""

    document_bytes: int = 20_000_000
    nodes: int = 2_000_000
    """Values after parsing, each alias counted as often as it is used."""
    depth: int = 200
    aliases: int = 100
    """Uses of YAML anchors on lists and objects."""
    alias_growth: int = 10
    """How many times as many values a document may have with its aliases written out as without."""
    integer_digits: int = 4300
    files: int = 2_000
    ref_chain: int = 100
    """References that lead to references."""
    schemas: int = 100_000
    """Schemas read, those that merging copies among them."""
    schema_depth: int = 80
    """Schemas inside schemas, written out in one place."""
    operations: int = 20_000
    parameters: int = 500
    """Of one operation."""
    enum_values: int = 50_000
    name_characters: int = 256
    """Of a property, a parameter or a component."""


DEFAULT_LIMITS = Limits()


class LimitExceeded(Exception):
    """A bound was passed. `limit` is its name in `Limits`."""

    def __init__(self, limit: str, bound: int, found: str) -> None:
        self.limit = limit
        self.bound = bound
        super().__init__(f"{found}, and the limit `{limit}` is {bound}")


def count_nodes(value: Any, limits: Limits, so_far: int = 0) -> int:
    """Count all values of a document, level by level, so that neither depth nor aliases can exhaust anything.

    Raises:
        LimitExceeded: For `depth` or `nodes`.
    """
    count = so_far + 1
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        if depth > limits.depth + 1:
            raise LimitExceeded("depth", limits.depth, "the document is nested more deeply than that")
        below: list[Any] = []
        for node in level:
            kind = type(node)
            if kind is dict:
                below.extend(node.values())
            elif kind is list:
                below.extend(node)
            if len(below) > limits.nodes:
                break
        count += len(below)
        if count > limits.nodes:
            raise LimitExceeded("nodes", limits.nodes, "the document has more values than that")
        level = [node for node in below if type(node) is dict or type(node) is list]
    return count
