"""The report as text, JSON and JUnit says the same."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from tests.guardian.evidences import calls, error, evidence, own_test, rule
from vitesse.guardian import report_form, report_junit, report_text
from vitesse.guardian.report import judge

GOOD = judge("shopify-credo 0.1.0", "sha256:0123456789abcdef", evidence())
BAD = judge(
    "shopify-credo 0.1.0",
    "sha256:0123456789abcdef",
    evidence(
        calls=(calls(tested=10, passed=8, errors=(error(401), error(500))), calls("POST /contacts", tested=0)),
        rules=(rule(null=False),),
        tests=(own_test(), own_test("failed"), own_test("skipped")),
    ),
)


def test_json_has_the_names_that_users_know_and_the_digest():
    form = report_form(GOOD)

    assert json.loads(json.dumps(form)) == form
    names = {"overall_score", "success_rate", "endpoint_coverage", "response_time_p95", "critical_issues", "warnings"}
    assert names | {"test_results", "package_digest", "passed"} <= set(form)
    assert form["package_digest"] == "sha256:0123456789abcdef"
    assert form["test_results"][0] == {
        "operation": "GET /customers",
        "api": "shop",
        "side": "source",
        "tested": 10,
        "passed": 10,
        "success_rate": 100.0,
        "response_time_p95": 10.0,
        "errors": [],
    }
    assert form["package_tests"] == {"passed": 1, "failed": 0, "skipped": 0, "failures": []}


def test_every_form_says_what_mocks_cannot_prove():
    assert "not that a vendor behaves as described" in report_form(GOOD)["note"]
    assert "not that a vendor behaves as described" in report_text(GOOD)


def test_text_of_a_healthy_package():
    text = report_text(GOOD)

    assert text.startswith("shopify-credo 0.1.0  sha256:0123456789ab…\nscore 100.0 of 100, the gate is at 70: passed\n")
    assert "  shadow calls   20 of 20 passed, 95 % within 10 ms\n" in text
    assert "  destination  POST /contacts     10      10      10\n" in text
    assert "critical" not in text


def test_text_of_a_sick_package_says_what_does_not_hold():
    text = report_text(BAD)

    assert "NOT PASSED" in text
    assert "  `POST /contacts` was never called\n" in text
    assert "  authentication: status 401\n" in text
    assert "1 passed, 1 failed, 1 do not apply" in text
    assert "  test_sync::test_all: why\n" in text


def test_junit_has_a_suite_for_each_part_and_a_case_for_the_gate():
    root = ElementTree.fromstring(report_junit(BAD))
    suites = {suite.get("name"): suite for suite in root}

    assert list(suites) == ["package tests", "shadow calls", "rules", "gate"]
    assert [suites[name].get("failures") for name in suites] == ["1", "2", "1", "1"]
    assert suites["package tests"].get("skipped") == "1"
    gate = suites["gate"].find("testcase/failure")
    assert gate is not None
    assert "was never called" in (gate.get("message") or "")
    assert [suite.get("failures") for suite in ElementTree.fromstring(report_junit(GOOD))] == ["0"] * 4


def test_junit_is_xml_whatever_a_message_holds():
    nasty = judge("p\x00", "sha256:0", evidence(tests=(own_test("failed", "a\x1b[31m<&>\ud800"),)))

    assert ElementTree.fromstring(report_junit(nasty).encode("utf-8", "replace")) is not None
