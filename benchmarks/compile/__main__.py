"""`python -m benchmarks.compile [--quick]`: two operations of a description to code, beside others and beside only parsing it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.measure import Command, in_turn
from benchmarks.peers import OLDER, peers
from benchmarks.places import SHARED
from benchmarks.tables import Table, installed, save, show

from . import ours, start
from .documents import Document, example, published, stripe
from .others import SHAKEN, Extent, floor, others

VERSIONS = ("black", "datamodel-code-generator", "openapi-python-client", "pydantic", "PyYAML", "ruff", "ryaml")
_NOTE = (
    "Vitesse compiles both sides of an integration, mapping, tests and all; the others get the source's description alone. "
    "Lines are those of Python written."
)


def compare(document: Document, runs: int, extent: Extent) -> Table:
    """One table: all of them over one document."""
    sys.stdout.write(f"{document.name}, {document.size_mb:.2f} MB\n")
    commands: list[Command] = [*ours.builds(document), *others(document, extent), *floor(document)]
    return Table(
        key=Path(document.name.replace(" ", "-").replace("(", "").replace(")", "").lower()).name,
        title=f"{document.name}: {document.size_mb:.2g} MB, `GET {document.operation}`",
        note=_NOTE,
        base=SHAKEN,
        measured=in_turn(commands, runs),
        figures=("lines", "modules", "failed_imports"),
    )


def starting(runs: int) -> Table:
    """One table: what it costs to begin."""
    sys.stdout.write("starting\n")
    return Table(
        key="start",
        title="Starting",
        note="Processes that begin and end, with what they import on the way.",
        base=start.PYTHON,
        measured=in_turn(start.starts(), runs),
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one turn, without the slowest, nothing kept")
    parser.add_argument("--more", action="store_true", help="six other published descriptions instead")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    documents = published() if options.more else [example(), *stripe()]
    if len(documents) < 2:
        sys.stdout.write(
            f"no published descriptions at {SHARED.name} (VITESSE_SHARED): there is nothing more to compile\n"
        )
    runs = 1 if options.quick else options.runs
    extent: Extent = "quick" if options.quick else "more" if options.more else "full"
    tables = [compare(each, runs, extent) for each in documents]
    if not options.more:
        tables.append(starting(runs))
    result = save(
        "quick" if options.quick else "compile-more" if options.more else "compile",
        tables,
        command=" ".join(["python -m benchmarks.compile", *sys.argv[1:]]),
        versions=installed(str(peers() / "python"), VERSIONS)
        | {"datamodel-code-generator, older": OLDER.split("==")[1]},
    )
    show(result)


if __name__ == "__main__":
    main()
