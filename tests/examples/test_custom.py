"""The examples' own functions do what their docstrings say."""

from __future__ import annotations

import importlib.util
from decimal import Decimal
from types import ModuleType

import pytest

from tests.examples.conftest import EXAMPLES


def load(example: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{example}_{name}", EXAMPLES / example / "custom" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("state", "answer"), [("subscribed", True), ("pending", False), ("unsubscribed", False), ("", False)]
)
def test_is_subscribed_needs_a_given_agreement(state: str, answer: bool):
    assert load("shopify_credo", "consent").is_subscribed(state) is answer


@pytest.mark.parametrize(
    ("seconds", "step", "answer"),
    [
        (0, 6, "0.00"),
        (1, 6, "0.10"),
        (360, 6, "0.10"),
        (361, 6, "0.20"),
        (7200, 15, "2.00"),
        (7201, 15, "2.25"),
        (60, 5, "0.09"),
    ],
)
def test_hours_are_rounded_up_to_the_next_step(seconds: int, step: int, answer: str):
    assert str(load("tracker_ledger", "durations").hours(seconds, step)) == answer
    assert isinstance(load("tracker_ledger", "durations").hours(seconds), Decimal)


@pytest.mark.parametrize(("seconds", "step"), [(-1, 6), (60, 0)])
def test_hours_refuse_what_is_no_length_of_time(seconds: int, step: int):
    with pytest.raises(ValueError, match="positive"):
        load("tracker_ledger", "durations").hours(seconds, step)
