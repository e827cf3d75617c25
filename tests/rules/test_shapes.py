"""Which fields of a schema are looked at when there are too many."""

from __future__ import annotations

from tests.rules.apis import type_of
from vitesse.rules.shapes import nearest_leaves


def test_of_too_many_fields_those_near_the_top_are_kept_in_the_schemas_order():
    """A record's own email address is not lost to what hangs below the field before it."""
    deep = {f"f{number}": {f"g{other}": "string" for other in range(4)} for number in range(5)}
    root = type_of({"id": "string", "account": deep, "email": "string", "name": "string"})
    found = [reached.text for reached in nearest_leaves(root, {}, 6)]
    assert found == ["id", "account.f0.g0", "account.f0.g1", "account.f0.g2", "email", "name"]
