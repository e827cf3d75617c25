"""Derived Python in black's layout: once, with a mode of our own, so that no project file of the user has a say."""

from __future__ import annotations


def formatted(text: str) -> str:
    """The text as black leaves it; formatting it again changes nothing."""
    # Late: black costs as much as everything else of a small build.
    from black import format_str
    from black.mode import Mode, TargetVersion

    return format_str(text, mode=Mode(line_length=120, target_versions={TargetVersion.PY311}))
