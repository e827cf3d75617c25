"""What the package's processes print is read, or refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vitesse.guardian.evidence import EvidenceError, read_junit, read_shadow

JUNIT = """<?xml version="1.0"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.test_sync" name="test_a[customers]" time="0.5"/>
<testcase classname="tests.test_sync" name="test_b" time="0.1"><failure message="assert 1 == 2&#10;more">…</failure></testcase>
<testcase classname="tests.test_cli" name="test_c" time="0"><skipped message="no webhooks"/></testcase>
<testcase classname="tests.test_cli" name="test_d" time="0"><error message="setup"/></testcase>
</testsuite></testsuites>"""


def shadow(**members: Any) -> str:
    value = {
        "form": 1,
        "calls": 1,
        "operations": [
            {
                "side": "source",
                "api": "shop",
                "operation": "GET /x",
                "tested": 2,
                "passed": 1,
                "response_time_ms": [1.5, 2],
                "errors": [{"error": "Rejected", "status": 400, "is_connectivity": False, "message": "no"}],
            }
        ],
        "rules": [
            {"stream": "s", "destination": "a.b", "present": True, "null": True, "missing": False, "problems": ["x"]}
        ],
        "throttled": {"source": 0},
    }
    return json.dumps({**value, **members})


def test_read_junit_tells_outcomes_and_the_first_line_of_why():
    found = [(test.name, test.outcome, test.message) for test in read_junit(JUNIT)]

    assert found == [
        ("test_sync::test_a[customers]", "passed", ""),
        ("test_sync::test_b", "failed", "assert 1 == 2"),
        ("test_cli::test_c", "skipped", "no webhooks"),
        ("test_cli::test_d", "failed", "setup"),
    ]


def test_read_junit_refuses_what_is_no_xml():
    with pytest.raises(EvidenceError, match="not XML"):
        read_junit("Segmentation fault")


def test_read_shadow_gives_calls_rules_and_throttled_requests():
    calls, rules, throttled = read_shadow(shadow())

    assert (calls[0].operation, calls[0].tested, calls[0].response_times_ms) == ("GET /x", 2, (1.5, 2))
    assert calls[0].errors[0].status == 400
    assert (rules[0].destination, rules[0].missing, rules[0].problems) == ("a.b", False, ("x",))
    assert throttled == {"source": 0}


@pytest.mark.parametrize("text", ["", "Traceback", "[]", "{}", shadow(operations=[{"side": "source"}])])
def test_read_shadow_refuses_what_is_no_result(text: str):
    with pytest.raises(EvidenceError, match="printed no result"):
        read_shadow(text)


def test_read_shadow_refuses_another_form():
    with pytest.raises(EvidenceError, match="form 1 is read"):
        read_shadow(shadow(form=2))
