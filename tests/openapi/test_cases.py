"""Each case becomes what stands beside it."""

from __future__ import annotations

import pytest

from tests.openapi import cases


@pytest.mark.parametrize("case", cases.names())
def test_case_becomes_what_is_expected(case: str):
    expected = (cases.CASES / case / "expected.json").read_text(encoding="utf-8")
    assert cases.text(cases.outcome(case)) == expected
