"""integration.yaml → Manifest, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..diagnostics import raise_errors
from ..forms import check_form, form_schema, read_form
from .contradictions import contradictions
from .form import MANIFEST_FILE, Manifest


def load_manifest(folder: Path) -> Manifest:
    """Read `integration.yaml` of an integration's folder.

    Raises:
        DiagnosticError: V001 to V006 for what is not as the form asks, V007 and V008 for what contradicts itself.
    """
    manifest = check_form(Manifest, read_form(folder, MANIFEST_FILE), MANIFEST_FILE)
    raise_errors(contradictions(manifest))
    return manifest


def manifest_schema() -> Mapping[str, Any]:
    """The JSON Schema of the form, for editors."""
    schema = form_schema(Manifest)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "integration.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }
