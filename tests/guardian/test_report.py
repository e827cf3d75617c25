"""The score, the gate, and the conditions that no score makes up for."""

from __future__ import annotations

import pytest

from tests.guardian.evidences import calls, error, evidence, own_test, rule
from vitesse.guardian.report import HealthReport, judge, p95


def judged(**members: object) -> HealthReport:
    return judge("shopify-credo 0.1.0", "sha256:abc", evidence(**members))


def test_healthy_package_has_the_whole_score_and_passes():
    report = judged()

    assert (report.overall_score, report.success_rate, report.endpoint_coverage) == (100.0, 100.0, 100.0)
    assert report.passed
    assert report.broken == ()


def test_score_weighs_success_and_coverage():
    """60 % of the calls passed, one of two operations was called: 0.7 × 60 + 0.3 × 50."""
    report = judged(calls=(calls(tested=10, passed=6), calls("POST /contacts", tested=0)))

    assert (report.success_rate, report.endpoint_coverage) == (60.0, 50.0)
    assert report.overall_score == 57.0
    assert "the score is 57.0, below 70" in report.broken


def test_gate_stands_at_70():
    """The failures are no critical ones, so the score alone decides."""
    at, below = (judged(calls=(calls(tested=1000, passed=passed),)) for passed in (572, 571))

    assert (at.overall_score, at.passed) == (70.0, True)
    assert not below.passed


def test_operation_that_was_never_called_closes_the_gate_whatever_the_score():
    report = judged(calls=(*(calls(f"GET /{number}") for number in range(9)), calls("POST /contacts", tested=0)))

    assert report.overall_score == 97.0
    assert report.broken == ("`POST /contacts` was never called",)


@pytest.mark.parametrize(("case", "said"), [("present", "a value"), ("null", "a null"), ("missing", "nothing")])
def test_rule_that_was_not_exercised_closes_the_gate(case: str, said: str):
    report = judged(rules=(rule(), rule("phone", **{case: False})))

    assert report.broken == (f"rule `customers.phone` does not pass with {said}",)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (error(401), "authentication"),
        (error(403), "authentication"),
        (error(429), "throttled"),
        (error(400), "invalid_request"),
        (error(422), "invalid_request"),
        (error(is_connectivity=True, name="ConnectFailed"), "connectivity"),
    ],
)
def test_critical_issue_closes_the_gate(failure: object, kind: str):
    report = judged(calls=(calls(tested=100, passed=99, errors=(failure,)),))

    assert report.overall_score > 99
    assert [(issue.kind, issue.count, issue.operation) for issue in report.critical_issues] == [
        (kind, 1, "GET /customers")
    ]
    assert not report.passed


def test_request_that_was_throttled_and_retried_is_critical():
    """It passed in the end, but the package is faster than the declared limit."""
    report = judged(throttled={"source": 3, "destination": 0})

    assert [(issue.kind, issue.count) for issue in report.critical_issues] == [("throttled", 3)]
    assert not report.passed


def test_other_failure_is_a_warning():
    report = judged(calls=(calls(tested=100, passed=99, errors=(error(500, name="ServerError"),)),))

    assert report.critical_issues == ()
    assert report.warnings == ("1 of 100 calls of `GET /customers` failed: ServerError: status 500",)
    assert report.passed


def test_failed_test_of_the_package_closes_the_gate():
    report = judged(tests=(own_test(), own_test("failed", "test_cli::test_help")))

    assert report.broken == ("1 of the package's own tests failed, the first is `test_cli::test_help`",)


def test_package_without_evidence_does_not_pass():
    report = judged(tests=(), calls=(), rules=())

    assert not report.passed
    assert report.overall_score == 0.0


def test_report_counts_for_its_digest_only():
    report = judged()

    assert report.holds_for("sha256:abc")
    assert not report.holds_for("sha256:abd")
    assert not report.holds_for(None)
    assert not judged(rules=(rule(null=False),)).holds_for("sha256:abc")


@pytest.mark.parametrize(
    ("times", "expected"),
    [((), 0.0), ((5.0,), 5.0), (tuple(float(n) for n in range(1, 101)), 95.0), ((9.0, 1.0), 9.0)],
)
def test_p95_is_the_nearest_rank(times: tuple[float, ...], expected: float):
    assert p95(times) == expected
