"""How fast this machine is now, for bounds on CPU time: a slower one, or one whose cores share with others, is given more."""

from __future__ import annotations

import time

_REFERENCE_S = 0.007
"""CPU time of `_work` on the machine that the bounds were written on, with nothing else to do."""


def slowness() -> float:
    """By how much everything takes longer here than there; 1 at least."""
    return max(1.0, min(_measured() for _ in range(5)) / _REFERENCE_S)


def _measured() -> float:
    began = time.process_time()
    _work()
    return time.process_time() - began


def _work() -> int:
    """Of what Python programs do most: calls, dictionaries, strings, small numbers."""
    found: dict[str, int] = {}
    for number in range(40_000):
        key = f"{number % 997:x}"
        found[key] = found.get(key, 0) + len(key)
    return sum(sorted(found.values()))
