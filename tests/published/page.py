"""`python -m tests.published.page`: the committed results of `tests.published.pairs` → `docs/pairs.md`. No figure is typed by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.shared import REPOSITORY

Json = dict[str, Any]

PAGE = REPOSITORY / "docs" / "pairs.md"
RESULTS = Path(__file__).parent / "results"
WRITTEN, PROPOSED = "written", "proposed"

_INTRODUCTION = """\
# Pairs of published APIs

<!-- Written by `python -m tests.published.page` from tests/published/results/. -->

Twenty integrations between descriptions as their vendors publish them: Swagger 2.0, OpenAPI 3.0 and 3.1, one file and several. With
its mapping each is compiled, installed without Vitesse into an environment of its own, imported, type-checked with `mypy --strict`,
tested with its own tests, run twice against its two mocks, and scored by the Guardian. The mocks are made from the package's own plan
and the vendors' descriptions: this proves that a package agrees with its plan, not that a vendor behaves as described.

```
make pairs PAIRS=pairs.json SPECS=specs                     with the mappings of tests/published/mappings/
make pairs PAIRS=pairs.json SPECS=specs FLAGS=--proposed    as if nobody had written any
```

Any other file of pairs of the same form will do: `{id, source_spec, source_operation, dest_spec, dest_operation, intent}`, a list. A
pair without a mapping goes the whole way by itself: `create → ingest → map → accept → build → install → test → sync → sync again`.
CI takes a few pairs the whole way and compiles the others.
"""
_WRITTEN = """\
## With a mapping that a person wrote

*Files* are those of the package, *modules* those that were imported, *tests* the package's own. A list with a filter by time gives
only its newest records to the second run; what it reads is unchanged, and nothing is written.
"""
_PROPOSED = """\
## As proposed

Nothing is written for the pair: what `vitesse map` proposes is accepted with `--accept-above {above:g}`, and what is left to a person
is listed below, by name: rules to read, holes to decide, facts to confirm. So that the chain can go on, the tool then accepts what a
person would have to read, and fills holes with constants that say so: a package of so many *files* shows that the chain carries the
pair, not that the result is wanted. *Map* is `vitesse map` as a whole command, the reading of both descriptions included.
"""


def page(results: dict[str, Json]) -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    if WRITTEN in results:
        parts += [_WRITTEN, _facts(results[WRITTEN]), _written(results[WRITTEN]["rows"])]
    if PROPOSED in results:
        rows = results[PROPOSED]["rows"]
        above = results[PROPOSED]["above"]
        parts += [_PROPOSED.format(above=above), _facts(results[PROPOSED]), _proposed(rows), _decisions(rows)]
    return "\n".join(parts)


def _facts(result: Json) -> str:
    rows = result["rows"]
    good = sum(row["ok"] for row in rows)
    told = "build" if result["until"] == "build" else "hold"
    return (
        f"**{good} of {len(rows)} {told}.** Taken {result['taken']} with commit `{result['vitesse']}`, Python {result['python']}, "
        f"{result['records']} records.\n"
    )


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def _written(rows: list[Json]) -> str:
    head = ["pair", "operations", "rules", "files", "modules", "typed", "tests", "first run", "second run", "score"]
    return _table(head, [[row["pair"], _operations(row), *_shown(row)] for row in rows])


def _operations(row: Json) -> str:
    return "<br>".join(f"`{one}`" for one in row["operations"]) or "–"


def _shown(row: Json) -> list[str]:
    if not row["ok"]:
        return [f"✗ {row['failed_at']}: {row['note']}", *[""] * 7]
    first, second = row["runs"]
    return [
        str(row["rules"]),
        str(row["files"]),
        str(row["modules"]),
        "strict",
        str(row["tests"]),
        _run(first),
        _run(second),
        f"{row['score']:g}",
    ]


def _run(counts: Json) -> str:
    """`120 read: 118 written, 2 dead`."""
    fates = [f"{value} {name}" for name, value in counts.items() if name != "read" and value]
    return f"{counts['read']} read: {', '.join(fates) or 'nothing'}"


def _proposed(rows: list[Json]) -> str:
    whole = any(row["runs"] for row in rows)
    head = [
        "pair",
        "complexity",
        "proposed",
        "accepted",
        "to read",
        "to decide",
        "facts",
        "map CPU s",
        "map wall s",
        "files",
    ]
    lines = [[*_counted(row), *(_carried(row) if whole else ())] for row in rows]
    found = [row["proposal"] for row in rows if row["proposal"] is not None]
    sums = [
        "**all**",
        "",
        *(str(sum(int(line[column]) for line in lines if line[column].isdigit())) for column in range(2, 7)),
    ]
    sums += [f"{sum(one[name] for one in found):.2f}" for name in ("map_cpu_s", "map_wall_s")]
    head += ["tests", "runs", "score"] if whole else []
    return _table(head, [*lines, [*sums, *[""] * (len(head) - len(sums))]])


def _counted(row: Json) -> list[str]:
    found = row["proposal"]
    if found is None:
        return [row["pair"], f"✗ {row['failed_at']}: {row['note']}", *[""] * 8]
    return [
        row["pair"],
        str(found["complexity"]),
        str(found["rules"]),
        str(len(found["accepted"])),
        str(len(found["read"])),
        str(len(_to_decide(row))),
        str(len(found["facts"])),
        f"{found['map_cpu_s']:.2f}",
        f"{found['map_wall_s']:.2f}",
        "✗" if row["files"] is None else str(row["files"]),
    ]


def _carried(row: Json) -> list[str]:
    return [
        "–" if row["tests"] is None else str(row["tests"]),
        "; ".join(_run(counts) for counts in row["runs"]) if row["ok"] else f"✗ {row['failed_at']}: {row['note']}",
        "–" if row["score"] is None else f"{row['score']:g}",
    ]


def _to_decide(row: Json) -> list[str]:
    """Each hole once: those that a proposal names, and those that keep the mapping from being compiled."""
    return list(dict.fromkeys((*row["proposal"]["decide"], *(row["filled"] or ()))))


def _decisions(rows: list[Json]) -> str:
    lines = ["### What a person has to decide\n"]
    for row in rows:
        found = row["proposal"]
        if found is None:
            continue
        lines.append(f"**{row['pair']}**\n")
        told = [f"decide: {_line(one)}" for one in _to_decide(row)]
        told += [f"confirm: {_line(one)}" for one in found["facts"]]
        if found["accepted"]:
            told.append(f"accepted unread: {', '.join(f'`{_rule(one)}`' for one in found['accepted'])}")
        if found["read"]:
            told.append(f"read: {', '.join(f'`{_rule(one)}`' for one in found['read'])}")
        lines += [f"- {one}" for one in told or ["nothing"]]
        lines.append("")
    return "\n".join(lines)


def _rule(name: str) -> str:
    return name.partition(".")[2]


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")


def committed() -> dict[str, Json]:
    """The results that are kept, by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(committed()), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")


if __name__ == "__main__":
    main()
