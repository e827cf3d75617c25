"""Proof that what was rendered is what is meant. Shares no line with the renderer."""

from __future__ import annotations

from .expect import expect, expect_api
from .gate import verify_package
from .model import Expectations, VerifiedPackage

__all__ = ["Expectations", "VerifiedPackage", "expect", "expect_api", "verify_package"]
