"""Ends for proposals, in the small spelling of `tests/rules/apis.py`."""

from __future__ import annotations

from tests.rules.apis import destination, rule, rules, source, type_of

__all__ = ["destination", "rule", "rules", "source", "type_of"]
