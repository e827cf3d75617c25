"""Build and prove an integration for each pair of published specs; print a table.

    python -m tests.published.pairs --pairs FILE --specs FOLDER [--mappings FOLDER | --proposed] [--only ID …]

FILE is a JSON array of `{id, source_spec, source_operation, dest_spec, dest_operation, intent}`. The mappings folder has, for a
pair, an integration folder without specs (`<id>/`) or one mapping file (`<id>.yaml`); for a pair with neither, what Vitesse proposes
is accepted, what it left open is named, and holes are filled by constants that say so: `create → ingest → map → accept → build →
install → test → sync → sync again`, with nothing written for the pair.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.published.folders import Pair
from tests.published.steps import ABOVE, STEPS, Row, Setup, prove
from tests.shared import REPOSITORY

MAPPINGS = Path(__file__).parent / "mappings"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove the pairs. Returns 0 when all hold, 1 when one does not, 2 for arguments that make no sense."""
    options = _parser().parse_args(arguments)
    try:
        pairs = read_pairs(options.pairs, options.only)
    except (OSError, ValueError) as error:
        print(f"error: {options.pairs}: {error}", file=sys.stderr)
        return 2
    for folder in (options.specs, options.mappings):
        if not folder.is_dir():
            print(f"error: {folder} is no folder", file=sys.stderr)
            return 2
    home = options.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    setup = Setup(
        specs=options.specs.resolve(),
        mappings=None if options.proposed else options.mappings.resolve(),
        home=home,
        work=home / "work",
        count=options.count,
        until=options.until,
    )

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda pair: prove(pair, setup, say), pairs))
    print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps(_result(rows, options), indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.ok for row in rows) else 1


def _result(rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Any]:
    """What `tests.published.page` makes a page of."""
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "taken": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "vitesse": done.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "records": options.count,
        "until": options.until,
        "above": ABOVE,
        "rows": [row.as_json() for row in rows],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.published.pairs", description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=Path, required=True, metavar="FILE", help="JSON array of pairs")
    parser.add_argument("--specs", type=Path, required=True, metavar="FOLDER", help="where the pairs' specs are")
    parser.add_argument("--mappings", type=Path, default=MAPPINGS, metavar="FOLDER", help="default: those in here")
    parser.add_argument("--proposed", action="store_true", help="as if nobody had written a mapping for any")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="these pairs and no others")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="pairs at a time (default: 1)")
    parser.add_argument(
        "--count", type=int, default=120, metavar="N", help="records of the source's mock (default: 120)"
    )
    parser.add_argument("--until", choices=STEPS, default="sync", help="the last step (default: sync)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    parser.add_argument(
        "--home",
        type=Path,
        default=REPOSITORY / "build" / "pairs",
        metavar="FOLDER",
        help="work folders and environments (default: build/pairs)",
    )
    return parser


def read_pairs(file: Path, only: Sequence[str] = ()) -> list[Pair]:
    """The pairs of a file, or some of them. Raises OSError and ValueError."""
    entries = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(entries, list):
        raise ValueError("it holds no array")
    pairs = [Pair.read(entry) for entry in entries]
    unknown = sorted({*only} - {pair.id for pair in pairs})
    if unknown:
        raise ValueError(f"it has no pair {', '.join(unknown)}")
    return [pair for pair in pairs if not only or pair.id in only]


def table(rows: Sequence[Row]) -> str:
    """The rows as text: one a pair, and a line of sums."""
    head = ("pair", "build CPU s", "files", "modules", "mypy", "tests", "first run", "second run", "score", "notes")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths[:-1]) + "  -----")
    good = sum(row.ok for row in rows)
    return "\n".join([*lines, "", f"{good} of {len(rows)} pairs hold"])


def _cells(row: Row) -> tuple[str, ...]:
    runs = [*row.runs, None, None]
    return (
        row.pair,
        "" if row.build_cpu_s is None else f"{row.build_cpu_s:.2f}",
        _number(row.files),
        _number(row.modules),
        "" if row.well_typed is None else "strict",
        _number(row.tests),
        _equation(runs[0]),
        _equation(runs[1]),
        "" if row.score is None else f"{row.score:g}",
        _note(row),
    )


def _note(row: Row) -> str:
    if not row.ok:
        return f"{row.failed_at}: {row.note}"
    if row.proposal is None:
        return "" if row.filled is None else f"{len(row.filled)} holes filled"
    found = row.proposal
    unread = f"{len(found.accepted)} of {found.rules} rules accepted above {ABOVE:g}"
    return f"as proposed: {unread}, {len(row.filled or ())} holes filled"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _equation(counts: dict[str, int] | None) -> str:
    """`120 = 118 written + 2 dead`."""
    if counts is None:
        return ""
    fates = [f"{value} {name}" for name, value in counts.items() if name != "read" and value]
    return f"{counts['read']} = {' + '.join(fates) or '0'}"


if __name__ == "__main__":
    sys.exit(main())
