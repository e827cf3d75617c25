"""Measured commands → a JSON file that is committed, and Markdown tables.

A table is one comparison: rows in the order they ran, each with its ratio to the row named as the base.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .measure import Measured, Sample, Spread, cpu_s, ratio
from .places import REPOSITORY, RESULTS, spoken

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One comparison."""

    key: str
    title: str
    note: str
    base: str
    """Name of the row that the ratios are taken to."""
    measured: Sequence[Measured]
    figures: Sequence[str] = ()
    """Names of `Sample.figures` to keep and show."""
    by: Callable[[Sample], float] = cpu_s
    """What the ratio is of; smaller is better."""
    ratio_of: str = "speed"
    """What the last column calls it."""

    def to_json(self) -> Json:
        """Plain values: medians and ranges, and every sample."""
        base = next((each for each in self.measured if each.command.name == self.base), None)
        return {
            "key": self.key,
            "title": self.title,
            "note": self.note,
            "base": self.base,
            "ratio_of": self.ratio_of,
            "figures": list(self.figures),
            "rows": [self._row(each, base) for each in self.measured],
        }

    def _row(self, each: Measured, base: Measured | None) -> Json:
        command = each.command
        row: Json = {"name": command.name, "command": spoken(command.shown or " ".join(command.argv))}
        row["runs"] = len(each.samples)
        if each.failure:
            return row | {"failure": spoken(each.failure)}
        row["cpu_s"] = _rounded(each.spread(cpu_s))
        row["wall_s"] = _rounded(each.spread(lambda sample: sample.wall_s))
        peaks = [sample.max_rss_mb for sample in each.samples if sample.max_rss_mb is not None]
        row["max_rss_mb"] = _rounded(Spread.of(peaks) if peaks else None, 1)
        for name in self.figures:
            values = [sample.figures[name] for sample in each.samples if name in sample.figures]
            row[name] = _rounded(Spread.of(values) if values else None)
        if base is not None:
            row["ratio"] = _rounded(ratio(each, base, self.by), 3)
        row["samples"] = [
            {**asdict(sample), "figures": dict(sample.figures)} for sample in each.samples if not sample.failure
        ]
        return row


def _rounded(spread: Spread | None, places: int = 4) -> Json | None:
    return spread and {name: round(value, places) for name, value in asdict(spread).items()}


def save(name: str, tables: Sequence[Table], *, command: str, versions: Mapping[str, str]) -> Json:
    """Write `benchmarks/results/<name>.json` with the facts that the figures depend on, and return what was written."""
    return save_plain(name, {"tables": [table.to_json() for table in tables]}, command=command, versions=versions)


def save_plain(name: str, measured: Json, *, command: str, versions: Mapping[str, str]) -> Json:
    """As `save`, for what is no table of commands."""
    written = {
        "benchmark": name,
        "taken": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "vitesse": _commit(),
        "machine": machine(),
        "versions": dict(sorted(versions.items())),
        **measured,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(written, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return written


def machine() -> Json:
    """What the figures depend on, without naming the machine."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.readlines()
    except OSError:
        return []


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def installed(python: str, names: Sequence[str]) -> dict[str, str]:
    """Versions of the distributions that an interpreter's environment has."""
    code = (
        "import sys, json; from importlib.metadata import version, PackageNotFoundError\n"
        "found = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = version(name)\n"
        "    except PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def markdown(table: Json) -> str:
    """One table as Markdown: medians with their range, and how many times the base row's speed each has."""
    names = table["figures"]
    head = [
        "",
        "CPU, s",
        "wall, s",
        "peak, MiB",
        *(name.replace("_", " ") for name in names),
        f"{table['ratio_of']}: {table['base']} = 1",
    ]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row in table["rows"]:
        if "failure" in row:
            cells = [row["name"], f"✗ {row['failure'].splitlines()[0]}", *[""] * (len(head) - 2)]
        else:
            cells = [row["name"], _cell(row["cpu_s"]), _cell(row["wall_s"]), _middle(row["max_rss_mb"])]
            cells += [_middle(row[name]) for name in names]
            cells.append(_cell(row.get("ratio")))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(spread: Json | None) -> str:
    if spread is None:
        return "–"
    median, low, high = (number(spread[name]) for name in ("median", "low", "high"))
    return median if low == high else f"{median} ({low}–{high})"


def _middle(spread: Json | None) -> str:
    return number(spread["median"]) if spread else "–"


def number(value: float) -> str:
    """Three figures, thousands set apart; whole numbers under a thousand as they are."""
    if value >= 1000:
        return f"{round(value, 3 - len(str(int(value)))):,.0f}"
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def show(result: Json) -> None:
    """Print all tables of one result."""
    for table in result["tables"]:
        sys.stdout.write(f"\n### {table['title']}\n\n{markdown(table)}\n\n{table['note']}\n")
