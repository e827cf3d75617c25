"""What a test of real processes may not fail at even once: CI tries other failures again (docs/testing.md)."""

from __future__ import annotations


class PromiseBroken(AssertionError):
    """A record was lost, made twice, or the audit found what must not be. However rarely it happens, it is a bug of the product."""


def promised(kept: object, said: object = "") -> None:
    """Assert what the product promises.

    Raises:
        PromiseBroken: `kept` is false.
    """
    if not kept:
        raise PromiseBroken(said)
