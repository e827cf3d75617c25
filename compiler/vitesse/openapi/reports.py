"""Where the front end puts what it finds: by owner, so that each operation and each component knows its own troubles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ..api.model import Place
from ..diagnostics import Diagnostic

if TYPE_CHECKING:
    from ..diagnostics import Severity
    from .document import Document

Owner: TypeAlias = tuple[str, str]
"""(`operation`, its id), (`type`, its key), or (`api`, "")."""

API: Owner = ("api", "")


class Reports:
    """Collects diagnostics. What is found while an owner's part is built belongs to that owner."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._label = document.label
        self._owner: Owner = API
        self._muted = False
        self.found: dict[Owner, list[Diagnostic]] = {}

    @contextmanager
    def of(self, owner: Owner) -> Iterator[None]:
        """What is found inside belongs to `owner`."""
        before, self._owner = self._owner, owner
        try:
            yield
        finally:
            self._owner = before

    @contextmanager
    def muted(self) -> Iterator[None]:
        """What is found inside is found again elsewhere, and forgotten here."""
        before, self._muted = self._muted, True
        try:
            yield
        finally:
            self._muted = before

    def error(self, code: str, message: str, file: str, pointer: str, help: str | None = None) -> None:
        self._add(code, "error", message, file, pointer, help)

    def warn(self, code: str, message: str, file: str, pointer: str, help: str | None = None) -> None:
        self._add(code, "warning", message, file, pointer, help)

    def note(self, code: str, message: str, file: str, pointer: str, help: str | None = None) -> None:
        self._add(code, "note", message, file, pointer, help)

    def _add(self, code: str, severity: Severity, message: str, file: str, pointer: str, help: str | None) -> None:
        if self._muted:
            return
        place = self._document.place(pointer, file)
        found = self.found.setdefault(self._owner, [])
        found.append(
            Diagnostic(code=code, severity=severity, message=message, places=(place,), help=help or _HELP.get(code))
        )

    def place(self, file: str, pointer: str) -> Place:
        """A place as the IR keeps it."""
        return Place(file=self._label + file, pointer=pointer)

    def all(self) -> list[Diagnostic]:
        return [diagnostic for diagnostics in self.found.values() for diagnostic in diagnostics]


_HELP = {
    "V110": "correct the file there, or lay an overlay over it",
    "V111": "put the file into the folder of the root file and refer to it by a relative path",
    "V112": "correct the reference, or lay an overlay over it that adds what is missing",
    "V113": "write `#/` and the names in between, with `~1` for a slash and `~0` for a tilde",
    "V114": "break the circle: one of the references has to be a schema of its own",
    "V115": "correct the file, or remove the reference to it",
    "V201": "use string, integer, number, boolean, array or object",
    "V202": "correct one of the schemas with an overlay, so that a value can satisfy both",
    "V203": "write a number there, or remove the keyword with an overlay",
    "V204": "correct or remove the default with an overlay",
    "V205": "correct the values or the type with an overlay",
    "V211": "give the `base_url` in the manifest and correct the server with an overlay",
}


def shown(text: object, width: int = 60) -> str:
    """Outside text inside a message: short, on one line."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
