"""`runs cancel` where workers carry out the runs: it also ends one that no worker has taken yet, or that waits to go on."""

from __future__ import annotations

from typing import Any

from ..declare import Integration
from ..engine.passes import Pass
from ..state import State
from .queue import OPEN, Order, Placed, Queue

WAITS_TO_GO_ON = ("stopped", "crashed")
"""How a run ended that another one goes on for, while its order is open."""


def withdraw(integration: Integration, state: State, queue: Queue, run_id: str) -> tuple[str, bool]:
    """End a run that waits in the queue; returns the run that is on record for it, and whether it was ended here.

    What would be its next run is put on record as cancelled, under the identity that a worker would give it: should one take
    the order at this moment, only one of the two can be, so nothing is sent of a run that was said to be cancelled. A run
    that is under way, or is not in the queue, is left alone. Blocks.
    """
    placed = _open(queue, run_id)
    if placed is None or placed.order is None:
        return run_id, False
    while True:
        attempts = state.runs.attempts(placed.id)
        last = state.runs.get(attempts[-1]) if attempts else None
        if last is not None and last["state"] not in WAITS_TO_GO_ON:
            return str(last["id"]), False
        own = following(placed.id, attempts)
        if state.runs.put_cancelled(own, **_described(integration, state, placed.order)):
            queue.cancel([placed.id])
            return own, True


def following(order_id: str, attempts: list[str]) -> str:
    """The identity of the next run for an order: `ID`, `ID.2`, `ID.3`."""
    return f"{order_id}.{len(attempts) + 1}" if attempts else order_id


def _open(queue: Queue, run_id: str) -> Placed | None:
    """The order of a run that has not ended; helpers of another run are none."""
    order_id, _, number = run_id.rpartition(".")
    for name in (run_id, order_id) if order_id and number.isdigit() else (run_id,):
        placed = queue.find(name)
        if placed is not None and placed.state in OPEN and placed.order is not None and not placed.order.partition:
            return placed
    return None


def _described(integration: Integration, state: State, order: Order) -> dict[str, Any]:
    request = order.request(order.run_id)
    kind, mapping = "full", ""
    for stream in integration.streams:
        if stream.name == order.stream:  # else it was asked for by a version that had one of this name
            kind, mapping = Pass(stream, state.store.checkpoint(stream.name), request).kind, stream.mapping_digest
    return {
        "stream": order.stream,
        "kind": kind,
        "trigger": order.trigger,
        "parameters": request.parameters(),
        "dry_run": order.dry_run,
        "mapping": mapping,
    }
