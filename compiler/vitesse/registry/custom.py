"""An integration's own `custom/*.py` → registered functions and the files that are copied."""

from __future__ import annotations

from pathlib import Path

from ..diagnostics import Diagnostic, Place
from .model import RegisteredFunction, SourceFile
from .signature import Unusable, read_signatures
from .sources import Source, read_sources

FOLDER = "custom"


def read_custom(
    integration: Path,
) -> tuple[tuple[RegisteredFunction, ...], tuple[SourceFile, ...], tuple[Diagnostic, ...]]:
    """Register every public function of `custom/*.py` by its name.

    Args:
        integration: The integration's folder. It may have no `custom/`.

    Returns:
        The functions, the files, and what is wrong: errors for files that cannot be copied, warnings for functions that no
        rule can call.
    """
    folder = integration / FOLDER
    if not folder.is_dir():
        return (), (), ()
    sources, problems = read_sources(folder, folder.glob("*.py"), FOLDER, "V906")
    functions: list[RegisteredFunction] = []
    diagnostics = list(problems)
    for source in sources:
        for signature in read_signatures(source.tree).values():
            if isinstance(signature, Unusable):
                diagnostics.append(_unusable(source, signature))
                continue
            functions.append(
                RegisteredFunction(
                    name=signature.name,
                    origin=source.shown_as,
                    module=f"{FOLDER}.{source.module}",
                    function=signature.name,
                    inputs=signature.inputs,
                    result=signature.result,
                    parameters=signature.parameters,
                    description=signature.description,
                    place=Place.at_line(source.shown_as, signature.line),
                )
            )
    files = tuple(
        SourceFile(path=source.shown_as, content=source.content, origin=source.shown_as) for source in sources
    )
    return tuple(functions), files, tuple(diagnostics)


def _unusable(source: Source, signature: Unusable) -> Diagnostic:
    return Diagnostic(
        code="V907",
        severity="warning",
        message=f"no rule can call `{signature.name}`: {signature.reason}",
        places=(Place.at_line(source.shown_as, signature.line, label="defined here"),),
        help="annotate it as docs/custom-functions.md shows, or start its name with `_` when only this file calls it",
    )
