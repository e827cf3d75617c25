"""The forms' JSON Schemas, for editors. `python scripts/schemas.py` writes them to docs/schemas/."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .api.facts_file import facts_schema
from .manifest import manifest_schema
from .mapper.proposal_file import proposal_schema
from .rules.load import mapping_schema
from .rules.review import review_schema

SCHEMAS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "facts.schema.json": facts_schema,
    "integration.schema.json": manifest_schema,
    "mapping.schema.json": mapping_schema,
    "proposal.schema.json": proposal_schema,
    "review.schema.json": review_schema,
}


def schema_text(name: str) -> str:
    """The schema as it is committed."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
