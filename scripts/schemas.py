"""Write the forms' JSON Schemas to docs/schemas/, as a test requires them: `python scripts/schemas.py`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "compiler"))

from vitesse.schemas import SCHEMAS, schema_text  # noqa: E402

for name in SCHEMAS:
    (ROOT / "docs" / "schemas" / name).write_text(schema_text(name), encoding="utf-8")
