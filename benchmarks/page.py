"""`python -m benchmarks.page`: the committed results → `docs/benchmarks.md`. No figure on that page is typed by hand."""

from __future__ import annotations

import json
import sys
from typing import Any

from .aims import AIMS
from .places import PAGE, RESULTS
from .tables import markdown, number

Json = dict[str, Any]

_INTRODUCTION = """\
# Benchmarks

<!-- Written by `python -m benchmarks.page` from benchmarks/results/. -->

`make bench` measures again and writes this page; `make bench FLAGS=--quick` takes a few minutes and keeps nothing. Every
command is measured as a whole process: user and system time by the kernel's account, wall time, peak memory. Commands run in
turn (A B A B), figures are medians with their range, and ratios are taken within a turn: on a busy machine CPU and ratios mean
something, wall time little. The others run in an environment of their own, made from the extra `bench`.
"""

_TEXTS = {
    "compile": (
        "Compiling",
        "From a published description to code. The others read the source's description alone; Vitesse reads both sides and the "
        "mapping and writes the whole package. `shaken` is datamodel-code-generator told to keep one path. `failed imports` "
        "counts modules of the output that do not import.",
    ),
    "compile-more": (
        "Compiling other published descriptions",
        "CPU seconds · peak MiB. The integrations are those of `tests/published/`; each uses up to seven operations. ✗ is a command "
        "that failed or wrote nothing, † output that does not import as a whole.",
    ),
    "compile-stages": (
        "Where a build's time goes",
        "One build in one process that imports the libraries first, each by itself. Their imports are the floor below any build "
        "that uses them.",
    ),
    "mapping-size": (
        "Proposing a mapping",
        "The whole command `vitesse map`, reading and writing included. Each side is one record of nested objects with two dozen "
        "attributes each; a third of the attributes have other words on the other side. This is its cost; how good it is stands "
        "elsewhere.",
    ),
    "many": (
        "Compiling many integrations",
        "`vitesse build FOLDER --jobs N` over copies of the examples. Wall time depends on what else the machine does: CPU divided by "
        "it says how many cores the command got. The CPU of the busiest process does not.",
    ),
    "sync": (
        "Syncing",
        "All customers are new. The server has a processor to itself and answers from prepared bytes; `server busy` is the share of "
        "the time that it worked. Every client is first shown to write every record once with the right values. What starting the "
        "process costs (`start cpu s`) is left out of the rates. Where only reading is compared, the package reads, checks, maps and looks "
        "up without writing, the taps of others print what they read. Measured at a raised priority on a machine that did other things "
        "(its load stands below): the ranges say how far that reaches into the figures.",
    ),
    "sync-50ms": (
        "Syncing over a distance",
        "The same with a delay before each reply: here waiting counts, and with it how much is in flight.",
    ),
    "sync-stages": (
        "Where a record's CPU goes",
        "The generated package as it ships, in a process that puts a clock around the functions that begin a stage: what a stage's "
        "threads take of the processor, without what an inner stage takes. The clocks cost a little, so the sum is above the figures "
        "of the comparison. What starting costs is left out here too.",
    ),
    "growth": (
        "More records",
        "The same client over more and more records: peak memory should not grow, nor should the CPU of one record.",
    ),
    "limits": (
        "Rate limits",
        "The server holds a token bucket before the destination and counts. The clients know of 429 and `Retry-After`; the generated "
        "package also knows the limit, from its facts. Here wall time counts: measured at a raised priority on a machine that did other "
        "things (its load stands below).",
    ),
    "replicas": (
        "Rate limits with replicas",
        "The same bucket before workers of the extra `cluster`: what an API allows is one row in PostgreSQL that all of them draw from. "
        "Here wall time counts: measured at a raised priority (nice -12) on a machine that did other things (its load stands below).",
    ),
    "webhooks": (
        "Webhooks",
        "A served package takes deliveries at a steady rate and does all its work meanwhile: it proves each, stores it before it answers, "
        "reads the record that was named from the one API and writes it to the other. Here wall time counts: measured at a raised "
        "priority (nice -12) on a machine that did other things (its load stands below).",
    ),
}


def page(results: dict[str, Json]) -> str:
    """The whole page."""
    parts = [_INTRODUCTION, _aims(results)]
    for name, (title, text) in _TEXTS.items():
        if name in results:
            parts.append(_section(title, text, results[name]))
    return "\n".join(parts)


def _aims(results: dict[str, Json]) -> str:
    lines = ["## Aims\n", "| aim | measured | |", "| --- | --- | --- |"]
    for aim in AIMS:
        measured, verdict = aim.reached(results) or ("–", "not measured yet")
        lines.append(f"| {aim.text} | {measured} | {verdict} |")
    return "\n".join(lines) + "\n"


def _section(title: str, text: str, result: Json) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    facts = (
        f"`{result['command']}`, {result['taken']}, commit `{result['vitesse']}`: {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, {machine['python']}, load {machine['load_average'][0]} at the end. {versions}."
    )
    if "stages" in result:
        return f"## {title}\n\n{text}\n\n{facts}\n\n{_stages(result)}"
    if result["benchmark"] == "compile-more":
        tables = _matrix(result["tables"])
    else:
        tables = "\n".join(f"### {table['title']}\n\n{markdown(table)}\n" for table in result["tables"])
    commands = {row["name"]: row["command"] for table in result["tables"] for row in table["rows"]}
    listed = "\n".join(f"{name}:\n    {command}" for name, command in commands.items())
    return f"## {title}\n\n{text}\n\n{facts}\n\n{tables}\nThe commands:\n\n```text\n{listed}\n```\n"


def _matrix(tables: list[Json]) -> str:
    """A row a document, a column a contender."""
    names = list(dict.fromkeys(row["name"] for table in tables for row in table["rows"]))
    lines = [f"| | {' | '.join(names)} |", f"|{' --- |' * (len(names) + 1)}"]
    for table in tables:
        rows = {row["name"]: row for row in table["rows"]}
        lines.append(f"| {table['title']} | {' | '.join(_cost(rows.get(name)) for name in names)} |")
    return "\n".join(lines) + "\n"


def _stages(result: Json) -> str:
    """A row a stage, a column a document or a way of working; milliseconds unless the result says otherwise."""
    documents: dict[str, dict[str, float]] = result["stages"]
    times_a_second, places = result.get("units_a_second", 1000), 1 if "units_a_second" in result else 0
    stages = list(dict.fromkeys(stage for times in documents.values() for stage in times))
    lines = [f"| {result.get('unit', 'ms of CPU')} | {' | '.join(documents)} |", f"|{' --- |' * (len(documents) + 1)}"]
    rows = [(stage, [times.get(stage) for times in documents.values()]) for stage in stages]
    rows.append(("all", [sum(times.values()) for times in documents.values()]))
    for stage, values in rows:
        cells = (f"{value * times_a_second:.{places}f}" if value is not None else "–" for value in values)
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cost(row: Json | None) -> str:
    if row is None:
        return ""
    if "failure" in row:
        return "✗"
    broken = row.get("failed_imports") or {}
    peak = row.get("max_rss_mb")
    shown = number(row["cpu_s"]["median"]) + (f" · {peak['median']:.0f}" if peak else "")
    return shown + (" †" if broken.get("median") else "")


def committed() -> dict[str, Json]:
    """The results that are kept, by name."""
    names = (name for name in _TEXTS if (RESULTS / f"{name}.json").is_file())
    return {name: json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in names}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(committed()), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")


if __name__ == "__main__":
    main()
