"""Evidence to weigh, good unless told otherwise."""

from __future__ import annotations

from typing import Any

from vitesse.guardian.evidence import CallError, Evidence, OperationCalls, RuleCases, TestCase


def calls(
    operation: str = "GET /customers", tested: int = 10, passed: int | None = None, **members: Any
) -> OperationCalls:
    side = members.pop("side", "source")
    times = members.pop("times", tuple(float(number + 1) for number in range(tested)))
    return OperationCalls(
        side=side,
        api="shop",
        operation=operation,
        tested=tested,
        passed=tested if passed is None else passed,
        response_times_ms=times,
        errors=members.pop("errors", ()),
    )


def error(status: int | None = None, *, is_connectivity: bool = False, name: str = "Rejected") -> CallError:
    return CallError(error=name, status=status, is_connectivity=is_connectivity, message=f"status {status}")


def rule(destination: str = "email", **cases: bool) -> RuleCases:
    return RuleCases(
        stream="customers", destination=destination, **{"present": True, "null": True, "missing": True, **cases}
    )


def own_test(outcome: Any = "passed", name: str = "test_sync::test_all") -> TestCase:
    return TestCase(name=name, outcome=outcome, seconds=0.25, message="" if outcome == "passed" else "why")


def evidence(**members: Any) -> Evidence:
    return Evidence(
        tests=members.get("tests", (own_test(),)),
        calls=members.get("calls", (calls(), calls("POST /contacts", side="destination"))),
        rules=members.get("rules", (rule(),)),
        throttled=members.get("throttled", {"source": 0, "destination": 0}),
    )
