"""BACK END: Plan → files in memory."""

from __future__ import annotations

from .package import render_api, render_package

__all__ = ["render_api", "render_package"]
