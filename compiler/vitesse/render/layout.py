"""Derived Python in black's layout: once, with a mode of our own, so that no project file of the user has a say."""

from __future__ import annotations

from .memo import Memo

_LINE_LENGTH = 120


def formatted(text: str, memo: Memo) -> str:
    """The text as black leaves it; formatting it again changes nothing."""
    return memo.text("black", f"{_LINE_LENGTH} py311", text, lambda: _black(text))


def _black(text: str) -> str:
    # Late: black costs as much as everything else of a small build.
    from black import format_str
    from black.mode import Mode, TargetVersion

    return format_str(text, mode=Mode(line_length=_LINE_LENGTH, target_versions={TargetVersion.PY311}))
