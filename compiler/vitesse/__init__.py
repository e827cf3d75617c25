"""A compiler for API integrations: two API descriptions and a reviewed mapping become a standalone Python package."""

from __future__ import annotations

__version__ = "0.1.0"
