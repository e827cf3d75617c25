"""The fast reader and the exact one are one reader: whatever both can read, they read alike."""

from __future__ import annotations

import random
from typing import Any

import pytest

from vitesse.openapi.json_text import TextError
from vitesse.openapi.limits import DEFAULT_LIMITS, LimitExceeded
from vitesse.openapi.yaml_text import load_events, load_yaml

PIECES = [
    *"a|b| : |: |- |\n|\n  |\n    |\"x\"|'y'|[|]|{|}|, |1|0x1F|1e3|.5|~|null|true|no|>-|!|!!str |!foo |&a |*a|<<: ".split(
        "|"
    ),
    *"#c|%|@|`|?|é|010|+1|-|.inf|1_0|0o7|-0o7|2020-01-01|12:30|=|0b1|1.|+|.|1e3010|0x|00|-.5|NULL|True|on|\t|---|...".split(
        "|"
    ),
    *"x: 1|- a: 1\n  b: 2|{a: 1}|[1, 2]|200: |999: ".split("|"),
    *("|", "|\n  t\n", "99999999999999999999999", "9" * 50, "1.5e+3"),
]


def outcome(read: Any, text: str) -> Any:
    try:
        return read(text, DEFAULT_LIMITS)
    except (TextError, LimitExceeded):
        return TextError


def typed(value: Any) -> Any:
    """The value with its types, and its keys in order: 1, 1.0 and True are not one."""
    match value:
        case dict():
            return [(key, typed(member)) for key, member in value.items()]
        case list():
            return [typed(item) for item in value]
        case _:
            return type(value), repr(value)


@pytest.mark.parametrize("seed", range(8))
def test_both_readers_read_alike(seed: int):
    rng = random.Random(seed)
    for _ in range(400):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 12)))
        text = f"k: {text}" if rng.random() < 0.5 else text
        fast, exact = outcome(load_yaml, text), outcome(load_events, text)
        assert typed(fast) == typed(exact), text
