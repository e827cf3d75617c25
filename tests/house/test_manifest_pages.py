"""Every key of a manifest's streams and webhooks is told of on a page for users."""

from __future__ import annotations

import json
import re

import pytest

from tests.shared import REPOSITORY

DOCS = REPOSITORY / "docs"
ELSEWHERE = {"compatibility.md", "diagnostics.md", "pairs.md"}
"""Pages that name keys without saying what they do."""
FORMS = (
    "Auth", "Batch", "Conflicts", "Deletes", "Find", "Match", "Partition", "Registration", "Retention", "SignatureScheme", "Since",
    "Stream", "StreamDestination", "StreamSource", "Webhook",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_key_is_on_a_page(form: str) -> None:
    pages = "\n".join(page.read_text("utf-8") for page in sorted(DOCS.glob("*.md")) if page.name not in ELSEWHERE)
    code = "\n".join([*re.findall(r"^```.*?^```", pages, re.MULTILINE | re.DOTALL), *re.findall(r"`[^`\n]+`", pages)])
    schema = json.loads((DOCS / "schemas" / "integration.schema.json").read_text("utf-8"))
    keys = schema["$defs"][form]["properties"]
    assert [key for key in keys if re.search(rf"\b{key}\b", code) is None] == []
