"""The front end: Swagger 2.0 and OpenAPI 3.0 to 3.2, JSON or YAML, one file or a folder → Api.

`read_document` reads and bounds a file, `list_operations` names what is in it, `build_api` builds what is asked for. Knows
nothing of rules, plans or Python code; whatever it cannot read is a diagnostic with a place.
"""

from __future__ import annotations

from .build import ApiBuild, OperationEntry, build_api, list_operations, reached, reached_by
from .document import Document, read_document
from .limits import DEFAULT_LIMITS, Limits

__all__ = [
    "DEFAULT_LIMITS",
    "ApiBuild",
    "Document",
    "Limits",
    "OperationEntry",
    "build_api",
    "list_operations",
    "reached",
    "reached_by",
    "read_document",
]
