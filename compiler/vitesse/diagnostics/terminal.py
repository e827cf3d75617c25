"""Diagnostics for a person at a terminal: a sentence, a place, a way out.

```text
error[V412]: required destination field `email` is never filled
  --> specs/crm.yaml:118:11   #/components/schemas/Person/properties/email
   |
118|           email: {type: string, format: email}
   |           ^^^^^ required here
   = help: add a rule for it, or list it under `waive` with a reason
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from unicodedata import east_asian_width

from .model import Diagnostic, Place, Severity, ordered
from .positions import Position, Sources

_WIDEST = 100
"""Cells of an excerpt; longer lines are cut around what is meant."""
_IN_FULL = 3
"""Notes of one code that are shown with their lines; those after them take a line each."""
_COLOUR: dict[Severity, str] = {"error": "31", "warning": "33", "note": "36"}


def render_terminal(diagnostics: Iterable[Diagnostic], root: Path | None = None, *, colour: bool = False) -> str:
    """All diagnostics in order, an empty line between, and a last line that counts them.

    Args:
        root: The folder that the places' files are relative to. None shows no lines.

    Returns:
        Text that ends in a newline; nothing when there are no diagnostics. Characters that would move the cursor or
        reorder a line are shown as escapes.
    """
    shown = ordered(diagnostics)
    if not shown:
        return ""
    sources = Sources(root)
    parts: list[str] = []
    alike: Counter[str] = Counter()
    for diagnostic in shown:
        if diagnostic.severity == "note":
            alike[diagnostic.code] += 1
        if diagnostic.severity != "note" or alike[diagnostic.code] <= _IN_FULL:
            parts.append(_render(diagnostic, sources, colour))
        elif alike[diagnostic.code] == _IN_FULL + 1:
            notes = [each for each in shown if each.code == diagnostic.code and each.severity == "note"]
            parts.append("".join(_line(each, sources, colour) for each in notes[_IN_FULL:]))
    return "\n".join([*parts, _count(shown) + "\n"])


def visible(text: str) -> str:
    """The text on one line, with control, bidirectional and other unprintable characters as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or f"\\u{{{ord(char):x}}}"


def _render(diagnostic: Diagnostic, sources: Sources, colour: bool) -> str:
    found = [(place, sources.position(place.file, place.pointer)) for place in diagnostic.places]
    width = max([3, *(len(str(position.line)) for _, position in found if position)])
    lines = [_head(diagnostic, colour)]
    for number, (place, position) in enumerate(found):
        lines += _place(place, position, width, in_full=number == 0 or bool(place.label))
    pad = " " * width
    lines += [f"{pad}= note: {visible(note)}" for note in diagnostic.notes]
    if diagnostic.help is not None:
        lines.append(f"{pad}= help: {visible(diagnostic.help)}")
    return "\n".join(lines) + "\n"


def _line(diagnostic: Diagnostic, sources: Sources, colour: bool) -> str:
    where = [
        f"{visible(place.file)}:{position.line}" if position else f"{visible(place.file)} {visible(place.pointer)}"
        for place in diagnostic.places[:1]
        for position in (sources.position(place.file, place.pointer),)
    ]
    return f"{_head(diagnostic, colour)}{'  --> ' + where[0] if where else ''}\n"


def _head(diagnostic: Diagnostic, colour: bool) -> str:
    head, message = f"{diagnostic.severity}[{diagnostic.code}]", visible(diagnostic.message)
    if not colour:
        return f"{head}: {message}"
    return f"\x1b[1;{_COLOUR[diagnostic.severity]}m{head}\x1b[0;1m: {message}\x1b[0m"


def _place(place: Place, position: Position | None, width: int, *, in_full: bool) -> list[str]:
    where = visible(place.file)
    pointer = "" if place.pointer.startswith("#L") else visible(place.pointer)
    arrow = " " * (width - 1) + "--> "
    if position is None:
        label = f"   {visible(place.label)}" if place.label else ""
        return [f"{arrow}{where}{'   ' + pointer if pointer else ''}{label}"]
    where += f":{position.line}:{position.column}"
    if not in_full:
        return [f"{arrow}{where}"]
    bar = " " * width + "|"
    text, marks = _excerpt(position)
    return [
        f"{arrow}{where}{'   ' + pointer if pointer else ''}",
        bar,
        f"{position.line:>{width}}| {text}".rstrip(),
        f"{bar} {marks} {visible(place.label)}".rstrip(),
    ]


def _excerpt(position: Position) -> tuple[str, str]:
    """The line and the carets under it, cut to a width a terminal has."""
    start, end = position.column - 1, position.column - 1 + position.width
    before, meant, after = (
        visible(part.replace("\t", "    "))
        for part in (position.text[:start], position.text[start:end], position.text[end:])
    )
    before, after = before.ljust(start - len(position.text[:start]) + len(before)), after.rstrip()
    if _cells(before + meant + after) > _WIDEST:
        meant = _cut(meant, _WIDEST // 2)
        if len(before) > _WIDEST // 4:
            before = "…" + before[-_WIDEST // 4 :]
        after = _cut(after, max(_WIDEST - _cells(before + meant), 10))
    return before + meant + after, " " * _cells(before) + "^" * max(_cells(meant), 1)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _cells(text: str) -> int:
    return len(text) if text.isascii() else sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _count(diagnostics: tuple[Diagnostic, ...]) -> str:
    kinds: tuple[Severity, ...] = ("error", "warning", "note")
    counts = [(kind, sum(1 for found in diagnostics if found.severity == kind)) for kind in kinds]
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts if count)
