"""A description → what it offers and what of it cannot be compiled, for a person and for a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..api.canonical import canonical
from ..api.facts import ApiFacts, Fact, FactKind
from ..api.model import Api, Json, Operation
from ..diagnostics import Diagnostic, ordered
from ..openapi import ApiBuild, build_api, read_document
from .infer import infer_facts
from .reading import Reading


class Proved(Protocol):
    """What came of planning, rendering and verifying operations."""

    @property
    def failures(self) -> Mapping[str, tuple[Diagnostic, ...]]:
        """Operation id → what stood in the way."""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Notes about what is compiled otherwise than it is described."""


Prove = Callable[[Api, ApiFacts, Sequence[Operation]], Proved]
"""Plans, renders and verifies operations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedOperation:
    """One operation, whether it compiles, and what is known about it."""

    operation: Operation
    diagnostics: tuple[Diagnostic, ...]
    facts: dict[FactKind, Fact]

    @property
    def compiles(self) -> bool:
        return not any(diagnostic.is_error for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All that `vitesse inspect` shows of one description."""

    api: Api
    digest: str
    files: tuple[str, ...]
    operations: tuple[InspectedOperation, ...]
    diagnostics: tuple[Diagnostic, ...]
    """Of the file as a whole; those of an operation stand with it."""

    @property
    def compiled(self) -> int:
        return sum(operation.compiles for operation in self.operations)

    @property
    def has_errors(self) -> bool:
        return any(diagnostic.is_error for diagnostic in self.diagnostics) or self.compiled < len(self.operations)

    def form(self) -> dict[str, Json]:
        """The report as JSON."""
        return {
            "title": self.api.title,
            "version": self.api.version,
            "openapi": self.api.spec_version,
            "digest": self.digest,
            "files": list(self.files),
            "servers": [canonical(server) for server in self.api.servers],
            "auth": [canonical(scheme) for scheme in self.api.security_schemes],
            "webhooks": [webhook.topic for webhook in self.api.webhooks],
            "counts": {"operations": len(self.operations), "compiles": self.compiled},
            "diagnostics": [_code(diagnostic) for diagnostic in self.diagnostics],
            "operations": [_operation(inspected) for inspected in self.operations],
        }


def inspect_spec(path: Path, *, folder: Path | None = None, prove: Prove | None = None) -> Inspection:
    """Read a whole description and say, operation by operation, whether it compiles.

    Args:
        path: The root file; `<name>.overlay.yaml` beside it corrects it.
        folder: What references may not leave, when the root file lies deeper.
        prove: Compiles the operations that can be read without an error; without it these count as compiling.

    Raises:
        DiagnosticError: When the file is no description at all.
    """
    document = read_document(path, folder=folder, overlay=path.with_name(f"{path.stem}.overlay.yaml"))
    built = build_api(document)
    reading = Reading(built.api, document)
    inspected, notes = _inspect(built, reading, prove)
    of_operations = {diagnostic for one in inspected for diagnostic in one.diagnostics}
    return Inspection(
        api=built.api,
        digest=document.digest,
        files=tuple(sorted(document.files)),
        operations=inspected,
        diagnostics=tuple(one for one in (*built.diagnostics, *notes) if one not in of_operations),
    )


def _inspect(
    built: ApiBuild, reading: Reading, prove: Prove | None
) -> tuple[tuple[InspectedOperation, ...], tuple[Diagnostic, ...]]:
    """The operations, and the notes about what several of them share."""
    operations = built.api.operations
    found = {operation.id: list(built.diagnostics_of(operation)) for operation in operations}
    facts = {operation.id: infer_facts(reading, operation) for operation in operations}
    notes: tuple[Diagnostic, ...] = ()
    if prove is not None:
        readable = [one for one in operations if not any(diagnostic.is_error for diagnostic in found[one.id])]
        proved = prove(built.api, ApiFacts(api=built.api.title, operations=facts), readable)
        for id, diagnostics in proved.failures.items():
            found[id] += diagnostics
        notes = proved.diagnostics
        for operation in readable:
            found[operation.id] += [note for note in notes if _is_in(note, operation)]
    inspected = tuple(
        InspectedOperation(operation=one, diagnostics=ordered(found[one.id]), facts=facts[one.id]) for one in operations
    )
    return inspected, notes


def _is_in(note: Diagnostic, operation: Operation) -> bool:
    place = operation.place
    return any(one.file == place.file and one.pointer.startswith(f"{place.pointer}/") for one in note.places)


def _operation(inspected: InspectedOperation) -> Json:
    operation = inspected.operation
    facts: dict[str, Json] = {kind: canonical(fact.value) for kind, fact in inspected.facts.items() if kind in _SHOWN}
    form: dict[str, Json] = {
        "id": operation.id,
        "method": operation.method,
        "path": operation.path,
        "operation_id": operation.operation_id,
        "compiles": inspected.compiles,
        "codes": [_code(diagnostic) for diagnostic in inspected.diagnostics],
    }
    if facts:
        form["facts"] = facts
    return form


_SHOWN: Sequence[str] = (
    "records",
    "record",
    "paging",
    "rate_limit",
    "identity",
    "version",
    "since",
    "batch",
    "idempotency",
)


def _code(diagnostic: Diagnostic) -> Json:
    place = diagnostic.places[0] if diagnostic.places else None
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "file": place.file if place is not None else "",
        "pointer": place.pointer if place is not None else "",
        "message": diagnostic.message,
        "help": diagnostic.help,
    }
