"""What the clean environment printed → evidence: plain values, checked, nothing judged yet.

Two sources: the JUnit file of the package's own tests, and the JSON of its shadow calls (`tests/shadow.py` there).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from xml.etree import ElementTree

SHADOW_FORM = 1

Outcome = Literal["passed", "failed", "skipped"]


class EvidenceError(ValueError):
    """The output is not what the package's tests print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One of the package's own tests."""

    __test__ = False

    name: str
    outcome: Outcome
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallError:
    """Why a shadow call failed. Without values of records."""

    error: str
    status: int | None
    is_connectivity: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationCalls:
    """The shadow calls of one operation."""

    side: Literal["source", "destination"]
    api: str
    operation: str
    tested: int
    passed: int
    response_times_ms: tuple[float, ...] = ()
    errors: tuple[CallError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCases:
    """One rule with a value, a null and nothing; True where the mapper did what it may."""

    stream: str
    destination: str
    present: bool
    null: bool
    missing: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about one package."""

    tests: tuple[TestCase, ...]
    calls: tuple[OperationCalls, ...]
    rules: tuple[RuleCases, ...]
    throttled: Mapping[str, int] = field(default_factory=dict)
    """Side → requests that its mock answered with 429, retried ones too."""


def read_junit(text: str) -> tuple[TestCase, ...]:
    """pytest's JUnit file → test cases. Raises EvidenceError."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  written by pytest in an environment that we made
    except ElementTree.ParseError as error:
        raise EvidenceError(f"the report of the package's tests is not XML: {error}") from None
    return tuple(_case(case) for case in root.iter("testcase"))


def _case(case: ElementTree.Element) -> TestCase:
    bad = next((child for kind in ("failure", "error") for child in case.iter(kind)), None)
    skipped = next(case.iter("skipped"), None)
    noted = bad if bad is not None else skipped
    module = case.get("classname", "").removeprefix("tests.")
    return TestCase(
        name=f"{module}::{case.get('name', '')}",
        outcome="failed" if bad is not None else "skipped" if skipped is not None else "passed",
        seconds=float(case.get("time", "0")),
        message=(noted.get("message") or "").splitlines()[0][:300]
        if noted is not None and noted.get("message")
        else "",
    )


def read_shadow(text: str) -> tuple[tuple[OperationCalls, ...], tuple[RuleCases, ...], dict[str, int]]:
    """The shadow calls' JSON → calls, rules and how often each side was throttled. Raises EvidenceError."""
    try:
        value: dict[str, Any] = json.loads(text)
        if value["form"] != SHADOW_FORM:
            raise EvidenceError(f"the shadow calls are of form {value['form']}, form {SHADOW_FORM} is read")
        calls = tuple(
            OperationCalls(
                side=one["side"],
                api=one["api"],
                operation=one["operation"],
                tested=one["tested"],
                passed=one["passed"],
                response_times_ms=tuple(one["response_time_ms"]),
                errors=tuple(CallError(**error) for error in one["errors"]),
            )
            for one in value["operations"]
        )
        rules = tuple(RuleCases(**{**one, "problems": tuple(one["problems"])}) for one in value["rules"])
        return calls, rules, dict(value["throttled"])
    except EvidenceError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"the shadow calls printed no result: {error}") from None
