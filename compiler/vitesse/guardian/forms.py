"""HealthReport → text for people, JSON for programs, JUnit for CI."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from .evidence import OperationCalls, TestCase
from .report import GATE, LIMITS, HealthReport, p95


def report_form(report: HealthReport) -> dict[str, Any]:
    """The JSON form, in the names that users know."""
    return {
        "package": report.package,
        "package_digest": report.digest,
        "passed": report.passed,
        "gate": GATE,
        "overall_score": report.overall_score,
        "success_rate": report.success_rate,
        "endpoint_coverage": report.endpoint_coverage,
        "response_time_p95": report.response_time_p95_ms,
        "critical_issues": [
            {"kind": issue.kind, "operation": issue.operation, "count": issue.count, "message": issue.message}
            for issue in report.critical_issues
        ],
        "warnings": list(report.warnings),
        "broken_conditions": list(report.broken),
        "test_results": [
            {
                "operation": one.operation,
                "api": one.api,
                "side": one.side,
                "tested": one.tested,
                "passed": one.passed,
                "success_rate": round(100 * one.passed / one.tested, 1) if one.tested else 0.0,
                "response_time_p95": p95(one.response_times_ms),
                "errors": [
                    {"error": error.error, "status": error.status, "message": error.message} for error in one.errors
                ],
            }
            for one in report.calls
        ],
        "rules": [
            {
                "stream": rule.stream,
                "destination": rule.destination,
                "present": rule.present,
                "null": rule.null,
                "missing": rule.missing,
                "problems": list(rule.problems),
            }
            for rule in report.rules
        ],
        "package_tests": {
            **{outcome: _count(report, outcome) for outcome in ("passed", "failed", "skipped")},
            "failures": [
                {"name": test.name, "message": test.message} for test in report.tests if test.outcome == "failed"
            ],
        },
        "note": LIMITS,
    }


def report_text(report: HealthReport) -> str:
    """The report as a person reads it; ends with a line break."""
    tested = sum(one.tested for one in report.calls)
    passed = sum(one.passed for one in report.calls)
    covered = sum(one.tested > 0 for one in report.calls)
    exercised = sum(rule.present and rule.null and rule.missing for rule in report.rules)
    skipped = _count(report, "skipped")
    lines = [
        f"{report.package}  {report.digest[:19]}…",
        f"score {report.overall_score:.1f} of 100, the gate is at {GATE:.0f}: {'passed' if report.passed else 'NOT PASSED'}",
        "",
        f"  package tests  {_count(report, 'passed')} passed, {_count(report, 'failed')} failed"
        + (f", {skipped} do not apply" if skipped else ""),
        f"  shadow calls   {passed} of {tested} passed, 95 % within {report.response_time_p95_ms:.0f} ms",
        f"  operations     {covered} of {len(report.calls)} called",
        f"  rules          {exercised} of {len(report.rules)} with a value, a null and nothing",
        "",
        *_table(report.calls),
    ]
    for title, found in (
        ("does not hold", report.broken),
        ("critical", [f"{issue.kind}: {issue.message}" for issue in report.critical_issues]),
        ("worth a look", report.warnings),
        ("failed tests", [f"{test.name}: {test.message}" for test in report.tests if test.outcome == "failed"]),
    ):
        if found:
            lines += ["", f"{title}:", *(f"  {line}" for line in found)]
    return "\n".join([*lines, "", LIMITS]) + "\n"


def _table(calls: tuple[OperationCalls, ...]) -> list[str]:
    rows = [("", "operation", "calls", "passed", "p95 ms")]
    rows += [
        (one.side, one.operation, str(one.tested), str(one.passed), f"{p95(one.response_times_ms):.0f}")
        for one in calls
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  "
        + "  ".join(f"{row[column]:>{widths[column]}}" for column in (2, 3, 4))
        for row in rows
    ]


def _count(report: HealthReport, outcome: str) -> int:
    return sum(test.outcome == outcome for test in report.tests)


# --- JUnit ------------------------------------------------------------------------------------------------------------


def report_junit(report: HealthReport) -> str:
    """One suite each for the package's tests, the shadow calls, the rules and the gate."""
    root = ElementTree.Element("testsuites", name=_printable(report.package))
    _suite(root, "package tests", [_test_case(test) for test in report.tests])
    _suite(root, "shadow calls", [_call_case(one) for one in report.calls])
    rules = []
    for rule in report.rules:
        is_good = rule.present and rule.null and rule.missing
        why = "; ".join(rule.problems) or "not exercised"
        rules.append(_case(f"{rule.stream}.{rule.destination}", None if is_good else why))
    _suite(root, "rules", rules)
    _suite(root, "gate", [_case(f"score {report.overall_score:.1f}", "; ".join(report.broken) or None)])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, name: str, cases: list[ElementTree.Element]) -> None:
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    attributes = {"name": name, "tests": str(len(cases)), "failures": str(failures), "skipped": str(skipped)}
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    for case in cases:
        case.set("classname", name)
        suite.append(case)


def _case(name: str, failure: str | None, seconds: float = 0.0) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_printable(name), time=f"{seconds:.3f}")
    if failure is not None:
        ElementTree.SubElement(case, "failure", message=_printable(failure))
    return case


def _test_case(test: TestCase) -> ElementTree.Element:
    case = _case(test.name, test.message or "failed" if test.outcome == "failed" else None, test.seconds)
    if test.outcome == "skipped":
        ElementTree.SubElement(case, "skipped", message=_printable(test.message))
    return case


def _call_case(one: OperationCalls) -> ElementTree.Element:
    failure = None
    if not one.tested:
        failure = "never called"
    elif one.errors:
        failure = f"{len(one.errors)} of {one.tested} calls failed: {one.errors[0].message}"
    return _case(f"{one.side} {one.operation}", failure, sum(one.response_times_ms) / 1000)


def _printable(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)
