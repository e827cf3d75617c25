"""The same question as `judge`, asked in this process and without running the package: quick enough for every test run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from vitesse.diagnostics import DiagnosticError
from vitesse.pipeline import compile_integration

from . import structure
from .corpus import Case
from .integration import ROLES, Role, write_integration

DOCUMENT_CODES = ("V1", "V2", "V5", "V6")
"""Errors about what a document says; the others are about the integration that the harness wrote around it."""


_ONE = threading.Lock()
"""The formatter's compiled parser crashes where several threads load it at once; `vitesse build` uses processes."""


def of_document(codes: Iterable[str], *, is_usable: bool) -> list[str]:
    """Those of some codes that are about the document.

    When there is nothing to use in it, the harness names an operation that is not there: that this is said is no refusal.
    """
    return [code for code in codes if code.startswith(DOCUMENT_CODES) and (is_usable or code not in ("V219", "V502"))]


def compile_files(place: Path) -> structure.Files:
    """The files of an integration's package. Raises DiagnosticError as the compiler does."""
    with _ONE:
        compiled = compile_integration(place, draft=True, memo=place.parent / "memo")
    return {file.path: file.content for file in compiled.package.package.files}


def baseline_files(case: Case, place: Path) -> dict[Role, structure.Files]:
    """The packages of the document that a case was made from."""
    for role in ROLES:
        write_integration(place / role, case.baseline.read_bytes(), case.baseline.suffix, role)
    return {role: compile_files(place / role) for role in ROLES}


def faults_of(case: Case, place: Path, baselines: dict[Role, structure.Files]) -> list[str]:
    """What is wrong with a case, without having run anything of it."""
    faults: list[str] = []
    refused: dict[Role, set[str]] = {}
    for role in ROLES:
        wanted = write_integration(place / role, case.file.read_bytes(), case.file.suffix, role)
        try:
            files = compile_files(place / role)
        except DiagnosticError as error:
            found = [one for one in error.diagnostics if one.is_error]
            about = of_document((one.code for one in found), is_usable=wanted is not None)
            if about:
                refused[role] = set(about)
            elif wanted is not None:
                faults.append(f"{role}: the harness could not use it: {error}")
            if not all(one.places and one.message for one in found):
                faults.append(f"{role}: an error without a place: {error}")
        else:
            faults += [
                f"{role}: {fault}"
                for fault in structure.faults(files, baselines[role], list(wanted.fields if wanted else ()))
            ]
    if case.expected == "safe" and refused:
        faults.append(f"refused: {refused}")
    if case.expected == "error" and not refused:
        faults.append("accepted in silence")
    return faults
