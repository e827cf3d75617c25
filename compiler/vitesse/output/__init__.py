"""Ownership, lock, write: the only room that touches a package's folder."""

from __future__ import annotations

from .check import CheckReport, check_package
from .current import is_current, package_digest
from .write import WriteReport, write_package

__all__ = ["CheckReport", "WriteReport", "check_package", "is_current", "package_digest", "write_package"]
