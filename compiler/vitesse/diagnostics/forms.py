"""Diagnostics for machines: JSON, and the annotations of a CI service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from .catalogue import TITLES
from .model import Diagnostic, Place, ordered
from .positions import Sources
from .terminal import visible


class PlaceForm(TypedDict):
    """One place as JSON."""

    file: str
    pointer: str
    label: str


class DiagnosticForm(TypedDict):
    """One diagnostic as JSON."""

    code: str
    severity: str
    message: str
    places: list[PlaceForm]
    notes: list[str]
    help: str | None


def diagnostic_form(diagnostic: Diagnostic) -> DiagnosticForm:
    """The diagnostic as JSON values. Text is kept as it is: JSON escapes it."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "places": [{"file": place.file, "pointer": place.pointer, "label": place.label} for place in diagnostic.places],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
    }


def diagnostic_forms(diagnostics: Iterable[Diagnostic]) -> list[DiagnosticForm]:
    """All of them, in the order they are shown."""
    return [diagnostic_form(diagnostic) for diagnostic in ordered(diagnostics)]


def render_annotations(diagnostics: Iterable[Diagnostic], root: Path | None = None, *, prefix: str = "") -> str:
    """GitHub workflow commands, one a line.

    Args:
        root: The folder that the places' files are relative to.
        prefix: Path from the repository's top to that folder, `examples/shopify_credo/`.
    """
    sources = Sources(root)
    return "".join(_annotation(diagnostic, sources, prefix) + "\n" for diagnostic in ordered(diagnostics))


def _annotation(diagnostic: Diagnostic, sources: Sources, prefix: str) -> str:
    command = "notice" if diagnostic.severity == "note" else diagnostic.severity
    properties = {"title": f"{diagnostic.code}: {TITLES[diagnostic.code]}"}
    if diagnostic.places:
        properties = _where(diagnostic.places[0], sources, prefix) | properties
    text = [diagnostic.message, *(f"note: {note}" for note in diagnostic.notes)]
    text += [f"help: {diagnostic.help}"] if diagnostic.help else []
    head = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::{command} {head}::{_escape_data(text)}"


def _where(place: Place, sources: Sources, prefix: str) -> dict[str, str]:
    where = {"file": prefix + place.file}
    if position := sources.position(place.file, place.pointer):
        where |= {"line": str(position.line), "col": str(position.column)}
    return where


def _escape_data(lines: list[str]) -> str:
    """Lines are joined by the escaped newline; what is in them cannot end the command or start another."""
    return "%0A".join(visible(line).replace("%", "%25") for line in lines)


def _escape_property(value: str) -> str:
    return visible(value).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
