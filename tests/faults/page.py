"""docs/reliability.md, from reliability.md beside this file, the tables of the runtime and what the tests came to.

python -m tests.faults.page                  write the page anew
python -m tests.faults.page --run            first run every test of a row and keep what it came to
python -m tests.faults.page --run -- -k src  only some; what the others came to is kept
python -m tests.faults.page --run --wire fast -- -m "fault and not slow"  over the other wire; kept apart, by what was chosen
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.errors import FAILURES, STATUS_FAILURES
from tests.faults.bounds import BOUNDS
from tests.faults.collect import gather
from tests.faults.rows import NOT_TESTED, ROWS
from tests.shared import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
RESULTS = Path(__file__).with_name("results.json")
TEXT = Path(__file__).with_name("reliability.md")


def load_results() -> dict[str, Any]:
    """What the tests came to when they were last run for the page."""
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {"rows": {}}
    return found


def outcome(tests: dict[str, dict[str, int]]) -> str:
    """One word for all tests of a row."""
    total = {name: sum(each.get(name, 0) for each in tests.values()) for name in ("passed", "failed", "skipped")}
    if total["failed"]:
        return f"**fails** ({total['failed']} of {sum(total.values())})"
    if not total["passed"]:
        return "not run here" if total["skipped"] else "not run"
    return "holds"


def render(results: dict[str, Any]) -> str:
    """The page."""
    text = TEXT.read_text("utf-8")
    return (
        text.replace("{classes}", _classes())
        .replace("{statuses}", _statuses())
        .replace("{bounds}", _bounds())
        .replace("{summary}", _summary(results["rows"]))
        .replace("{wires}", "\n\n".join(_wire(name, each) for name, each in _wires(results)))
        .replace("{rows}", _rows(results["rows"]))
    )


def _classes() -> str:
    lines = ["| kind of error | class |", "| --- | --- |"]
    return "\n".join(lines + [f"| `{kind.__name__}` | {means} |" for kind, means in FAILURES.items()])


def _statuses() -> str:
    lines = ["| status | class |", "| --- | --- |"]
    return "\n".join(lines + [f"| {status} | {means} |" for status, means in sorted(STATUS_FAILURES.items())])


def _bounds() -> str:
    lines = ["| what | bound | set by | test |", "| --- | --- | --- | --- |"]
    for bound in BOUNDS:
        setting = f"`{bound.setting}`" if bound.setting else "fixed"
        lines.append(f"| {bound.what} | {bound.value()} | {setting} | `{bound.test.partition('::')[2]}` |")
    return "\n".join(lines)


def _summary(found: dict[str, Any]) -> str:
    holds = sum(outcome(found.get(name, {})) == "holds" for name in ROWS)
    tests = sum(len(each) for each in found.values())
    reasons = f"; {len(NOT_TESTED)} have none, and why" if NOT_TESTED else ""
    return f"{holds} of {len(ROWS)} rows hold, by {tests} tests{reasons}."


def _wires(results: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Wire and what the tests came to over it, for each choice of tests."""
    for name, chosen in results.get("wires", {}).items():
        yield from ((name, each) for each in chosen.values())


def _wire(name: str, found: dict[str, Any]) -> str:
    """What the tests came to over another wire."""
    failed = "".join(f" `{test.partition('::')[2]}`" for test in found["failures"])
    return (
        f"Over the wire `{name}` (`WIRE={name}`), chosen by `{found['chosen']}`: {found['passed']} tests of {found['rows']} rows"
        f" passed, {found['skipped']} were skipped, {found['failed']} failed{':' if failed else '.'}{failed}"
    )


def _ran_over(ran: dict[str, Any], chosen: list[str]) -> dict[str, Any]:
    """Counts of a run over another wire. A test of several rows counts once."""
    tests = {test: counts for row in ran.values() for test, counts in row.items()}
    total = {name: sum(each.get(name, 0) for each in tests.values()) for name in ("passed", "failed", "skipped")}
    rows = sum(any(counts.get("passed") for counts in row.values()) for row in ran.values())
    return {
        "chosen": " ".join(chosen),
        "rows": rows,
        **total,
        "failures": sorted(test for test, counts in tests.items() if counts.get("failed")),
    }


def _rows(found: dict[str, Any]) -> str:
    lines: list[str] = []
    for side in dict.fromkeys(row.side for row in ROWS.values()):
        lines += [
            "",
            f"### {side[0].upper()}{side[1:]}",
            "",
            "| id | what happens | what the package does | outcome | tests |",
        ]
        lines.append("| --- | --- | --- | --- | --- |")
        for name, row in ROWS.items():
            if row.side != side:
                continue
            tests = found.get(name, {})
            names = " ".join(f"`{test.partition('::')[2].removeprefix('test_')}`" for test in sorted(tests))
            said = outcome(tests) if name not in NOT_TESTED else f"no test: {NOT_TESTED[name]}"
            lines.append(f"| `{name}` | {row.happens} | {row.does} | {said} | {names} |")
    return "\n".join(lines[1:])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="run the tests first")
    parser.add_argument("--wire", help="run them over this wire; what they came to is kept apart")
    parser.add_argument("arguments", nargs="*", help="for pytest")
    asked = parser.parse_args(argv)
    results = load_results()
    if asked.run and asked.wire:
        ran, _ = gather(run=True, arguments=asked.arguments, wire=asked.wire)
        kept = results.setdefault("wires", {}).setdefault(asked.wire, {})
        kept[" ".join(asked.arguments)] = _ran_over(ran, asked.arguments)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    elif asked.run:
        collected, _ = gather()
        ran, _ = gather(run=True, arguments=asked.arguments)
        rows: dict[str, Any] = {}
        for row in (name for name in ROWS if name in collected):
            before, now = results["rows"].get(row, {}), ran.get(row, {})
            for test in sorted(collected[row]):
                counts = {name: count for name, count in now.get(test, {}).items() if name != "collected"}
                rows.setdefault(row, {})[test] = counts or before.get(test, {})
        results = {**results, "rows": rows}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    PAGE.write_text(render(results), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
