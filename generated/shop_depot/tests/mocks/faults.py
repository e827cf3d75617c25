"""Faults that are switched on: what a network and a vendor do on a bad day.

    status    answer `status` (with `headers`, such as Retry-After) and do nothing
    delay     wait `delay_s` before the answer
    reset     cut the connection without an answer
    truncate  announce the whole body, send half of it, cut the connection
    drip      send the body in small pieces, `delay_s` between them
    garbage   answer 200 with HTML instead of JSON
    refused   answer 200 with the success predicate of the operation turned round
    again     of a list: the page before once more, and then on; where pages are named by tokens
    loop      of a list: the first page, whichever was asked for
    partial   of a batch: its first item is refused, the last is written and not mentioned, results are turned round where
              they are numbered

`after_effect` lets the request take effect first, so that its outcome is unknown to the sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["status", "delay", "reset", "truncate", "drip", "garbage", "refused", "again", "loop", "partial"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault for the next `count` requests (of `operation`, when it is given), after `skip` that pass."""

    kind: Kind
    operation: str | None = None
    count: int = 1
    skip: int = 0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    until: asyncio.Event | None = None
    """Of `delay`: what is waited for as well."""
    after_effect: bool = False
    holds: str = ""
    """Only requests whose body has this in it."""
    over: int = 0
    """Only requests whose body has more bytes."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"`{self.kind}` is no kind of fault; there are {', '.join(get_args(Kind))}")


class Faults:
    """The faults that are on, in the order they were switched on."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, kind: Kind, **members: Any) -> Fault:
        """Switch a fault on. Members are those of `Fault`."""
        fault = Fault(kind=kind, **members)
        self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[Fault]:
        return list(self._waiting)

    def take(self, operation: str, body: bytes = b"") -> Fault | None:
        """The fault that hits this request, if any; it is used up by one."""
        for fault in self._waiting:
            if (
                fault.operation not in (None, operation)
                or (fault.over and len(body) <= fault.over)
                or fault.holds.encode() not in body
            ):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.count -= 1
            if fault.count <= 0:
                self._waiting.remove(fault)
            return fault
        return None
