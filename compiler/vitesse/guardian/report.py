"""Evidence → HealthReport: the score, the conditions that hold whatever the score, what is critical and what is worth a look.

    overall score = 0.7 × success rate of the shadow calls + 0.3 × share of the used operations that were called

A package passes with 70 or more, if besides every operation that a stream uses was called, every rule was exercised with a
value, a null and nothing, nothing critical was seen, and the package's own tests pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .evidence import CallError, Evidence, OperationCalls, RuleCases, TestCase

GATE = 70.0
SUCCESS_WEIGHT, COVERAGE_WEIGHT = 0.7, 0.3

LIMITS = (
    "The mocks are made from the package's own plan and the vendors' descriptions: this proves that the package agrees with "
    "its plan, not that a vendor behaves as described."
)

IssueKind = Literal["authentication", "throttled", "invalid_request", "connectivity"]

_KINDS: dict[int, IssueKind] = {
    400: "invalid_request",
    401: "authentication",
    403: "authentication",
    407: "authentication",
    415: "invalid_request",
    422: "invalid_request",
    429: "throttled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Something critical that shadow calls met."""

    kind: IssueKind
    operation: str
    count: int
    message: str
    """Of the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What the Guardian found out about one package. It counts for this digest only."""

    package: str
    digest: str
    overall_score: float
    success_rate: float
    """Percent of the shadow calls that passed."""
    endpoint_coverage: float
    """Percent of the used operations that were called."""
    response_time_p95_ms: float
    critical_issues: tuple[Issue, ...]
    warnings: tuple[str, ...]
    broken: tuple[str, ...]
    """Conditions that do not hold, each a sentence; the gate is closed unless there is none."""
    calls: tuple[OperationCalls, ...]
    rules: tuple[RuleCases, ...]
    tests: tuple[TestCase, ...]

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return not self.broken

    def holds_for(self, digest: str | None) -> bool:
        """Whether a package of this digest may be deployed on the strength of the report."""
        return self.passed and digest is not None and digest == self.digest


def judge(package: str, digest: str, evidence: Evidence) -> HealthReport:
    """Weigh the evidence about one package."""
    tested = sum(one.tested for one in evidence.calls)
    passed = sum(one.passed for one in evidence.calls)
    covered = [one for one in evidence.calls if one.tested]
    success_rate = 100 * passed / tested if tested else 0.0
    coverage = 100 * len(covered) / len(evidence.calls) if evidence.calls else 0.0
    score = SUCCESS_WEIGHT * success_rate + COVERAGE_WEIGHT * coverage
    issues = tuple(_issues(evidence))
    return HealthReport(
        package=package,
        digest=digest,
        overall_score=round(score, 1),
        success_rate=round(success_rate, 1),
        endpoint_coverage=round(coverage, 1),
        response_time_p95_ms=p95([time for one in evidence.calls for time in one.response_times_ms]),
        critical_issues=issues,
        warnings=tuple(_warnings(evidence)),
        broken=tuple(_broken(score, evidence, issues)),
        calls=evidence.calls,
        rules=evidence.rules,
        tests=evidence.tests,
    )


def p95(times_ms: Sequence[float]) -> float:
    """The time within which 95 % of the calls were answered, by nearest rank; 0 without calls."""
    if not times_ms:
        return 0.0
    ordered = sorted(times_ms)
    return round(ordered[math.ceil(0.95 * len(ordered)) - 1], 1)


def _issues(evidence: Evidence) -> Iterator[Issue]:
    for one in evidence.calls:
        by_kind: dict[IssueKind, list[CallError]] = {}
        for error in one.errors:
            if (kind := _kind(error)) is not None:
                by_kind.setdefault(kind, []).append(error)
        for kind, errors in sorted(by_kind.items()):
            yield Issue(kind=kind, operation=one.operation, count=len(errors), message=errors[0].message)
    for side, count in sorted(evidence.throttled.items()):
        if count:
            message = "the package asked faster than its declared rate limit allows"
            yield Issue(kind="throttled", operation=f"{side}: all operations", count=count, message=message)


def _kind(error: CallError) -> IssueKind | None:
    if error.is_connectivity:
        return "connectivity"
    return _KINDS.get(error.status) if error.status is not None else None


def _warnings(evidence: Evidence) -> Iterator[str]:
    for one in evidence.calls:
        others = [error for error in one.errors if _kind(error) is None]
        if others:
            yield f"{len(others)} of {one.tested} calls of `{one.operation}` failed: {others[0].error}: {others[0].message}"
    for rule in evidence.rules:
        for problem in rule.problems:
            yield f"rule `{rule.stream}.{rule.destination}`: {problem}"
    if not evidence.rules:
        yield "the package has no rules"


def _broken(score: float, evidence: Evidence, issues: Sequence[Issue]) -> Iterator[str]:
    if score < GATE:
        yield f"the score is {score:.1f}, below {GATE:.0f}"
    if not evidence.calls:
        yield "no operation was called"
    for one in evidence.calls:
        if not one.tested:
            yield f"`{one.operation}` was never called"
    for rule in evidence.rules:
        cases = (("a value", rule.present), ("a null", rule.null), ("nothing", rule.missing))
        bad = [what for what, is_good in cases if not is_good]
        if bad:
            yield f"rule `{rule.stream}.{rule.destination}` does not pass with {' and '.join(bad)}"
    for issue in issues:
        yield f"critical: {issue.kind.replace('_', ' ')} at `{issue.operation}`, {issue.count} times"
    failed = [test for test in evidence.tests if test.outcome == "failed"]
    if failed:
        yield f"{len(failed)} of the package's own tests failed, the first is `{failed[0].name}`"
    if not any(test.outcome == "passed" for test in evidence.tests):
        yield "none of the package's own tests passed"
