"""One diagnostic as plain data; how it looks is decided where it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias

from ..frozen import dataclass
from .catalogue import TITLES
from .errors import InternalError

Severity: TypeAlias = Literal["error", "warning", "note"]

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


class HasPlace(Protocol):
    """Anything that knows where it stands, such as `vitesse.api.model.Place`."""

    @property
    def file(self) -> str: ...
    @property
    def pointer(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands. Lines are computed from it only when it is shown.

    A place with a label is shown with an excerpt and the label under it; so is the first place of a diagnostic.
    """

    file: str
    """Relative to the folder that the report is about, with forward slashes: `specs/crm.yaml`."""
    pointer: str = ""
    """A JSON pointer, `#/paths/~1contacts/post`; `#L12` or `#L12:5` where no pointer can be (syntax errors, Python); empty for
    the whole file. A pointer past what is there stands for the nearest thing above it."""
    label: str = ""
    """What is there, in a few words: `required here`."""

    @classmethod
    def of(cls, place: HasPlace, label: str = "") -> Place:
        """The same place, with a label."""
        return cls(file=place.file, pointer=place.pointer, label=label)

    @classmethod
    def at_line(cls, file: str, line: int, column: int | None = None, label: str = "") -> Place:
        """A place by line and column, both counted from 1."""
        return cls(file=file, pointer=f"#L{line}" if column is None else f"#L{line}:{column}", label=label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing a person should know: what is, where, and what to do.

    `message` is a clause in lower case that says what is, with names in backticks; `help` starts with a verb.
    """

    code: str
    """Its row in the catalogue: `V412`."""
    severity: Severity = "error"
    message: str
    places: tuple[Place, ...] = ()
    """The place to look at first, then those that explain it."""
    notes: tuple[str, ...] = ()
    help: str | None = None

    def __post_init__(self) -> None:
        if self.code not in TITLES:
            raise InternalError(f"the diagnostic code {self.code} is not in the catalogue")

    @property
    def is_error(self) -> bool:
        return self.severity == "error"


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each diagnostic once: errors first, then by first place, code and message."""
    return tuple(sorted(dict.fromkeys(diagnostics), key=_order))


def _order(diagnostic: Diagnostic) -> tuple[object, ...]:
    first = diagnostic.places[0] if diagnostic.places else Place(file="")
    return (
        _RANK[diagnostic.severity],
        first.file,
        _pointer_order(first.pointer),
        diagnostic.code,
        diagnostic.message,
        [(place.file, place.pointer, place.label) for place in diagnostic.places],
        diagnostic.notes,
        diagnostic.help or "",
    )


def _pointer_order(pointer: str) -> list[tuple[int, int, str]]:
    """Positions in lists and lines by number, names by their letters."""
    parts = pointer.replace("#L", "#/").replace(":", "/").split("/") if pointer.startswith("#L") else pointer.split("/")
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]
