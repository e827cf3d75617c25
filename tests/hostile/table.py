"""Verdicts → tables."""

from __future__ import annotations

from collections.abc import Sequence

from .judge import Verdict

OUTCOMES = ("data", "refused", "failed")


def table(verdicts: Sequence[Verdict]) -> str:
    """Counts per outcome, by group, as Markdown."""
    lines = [
        "| what the case tries to break out of | cases | stays data | refused | fails |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for group in sorted({verdict.group for verdict in verdicts}):
        lines.append(_row(group, [verdict for verdict in verdicts if verdict.group == group]))
    lines.append(_row("**all**", verdicts))
    return "\n".join(lines)


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    counts = [sum(verdict.outcome == outcome for verdict in verdicts) for outcome in OUTCOMES]
    return f"| {name} | {len(verdicts)} | " + " | ".join(map(str, counts)) + " |"


def summary(verdicts: Sequence[Verdict]) -> str:
    """The dearest build, in words."""
    tried = [(one.cpu_s, one.memory_mb, verdict.id, one.role) for verdict in verdicts for one in verdict.tried]
    slowest, largest = max(tried), max(tried, key=lambda one: one[1])
    return (
        f"at most {slowest[0]:.1f} s of CPU (`{slowest[2]}` as the {slowest[3]}) "
        f"and {largest[1]:.0f} MB (`{largest[2]}` as the {largest[3]}) a build"
    )
