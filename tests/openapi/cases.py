"""Small descriptions, each with the Api and the diagnostics it becomes.

`python -m tests.openapi.cases` writes `expected.json` of every case anew; the diff is for a person to read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vitesse.api.canonical import canonical
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.openapi import build_api, read_document

CASES = Path(__file__).parent / "cases"


def names() -> list[str]:
    """The folders under `cases/`."""
    return sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())


def outcome(case: str) -> dict[str, Any]:
    """What a case becomes now."""
    folder = CASES / case
    root = next(path for path in sorted(folder.iterdir()) if path.stem == "openapi")
    try:
        built = build_api(read_document(root))
    except DiagnosticError as error:
        return {"diagnostics": [said(diagnostic) for diagnostic in error.diagnostics]}
    api: Any = canonical(built.api)
    for name in ("title", "version", "spec_file"):
        api.pop(name, None)
    return {"api": api, "diagnostics": [said(diagnostic) for diagnostic in built.diagnostics]}


def said(diagnostic: Diagnostic) -> str:
    """A diagnostic on one line."""
    place = diagnostic.places[0] if diagnostic.places else None
    at = f" ({place.file} {place.pointer})" if place else ""
    return f"{diagnostic.severity} {diagnostic.code}: {diagnostic.message}{at}"


def text(outcome: dict[str, Any]) -> str:
    """An outcome as it stands in `expected.json`."""
    return json.dumps(outcome, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for case in names():
        (CASES / case / "expected.json").write_text(text(outcome(case)), encoding="utf-8")


if __name__ == "__main__":
    main()
