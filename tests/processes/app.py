"""The sample package as a process that can be made to die at one place.

    SHAPE=batch FAILPOINT=after-send:3 python -m tests.processes.app sync

`SHAPE` picks a form of the stream (`SHAPES`), `FAILPOINT` a place and how often it is passed before the process kills itself
there (`tests.processes.failpoints`), `UNFENCED` lets it go on without its lease, `SIGNS` is how often a worker shows that it
lives while its lease lasts. They exist in this module only: what is
shipped has no such switch.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from runtime.cli import run
from runtime.declare import Integration, Operation, Partition, RateLimit
from tests.processes import failpoints
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.runtime.sample.clients.credo import BATCH_CONTACTS, CREATE_CONTACT

_NO_KEY = replace(CREATE_CONTACT, idempotency_header=None)

SHAPES: dict[str, dict[str, Any]] = {
    "batch": {},
    "single": {"batch": None},
    "find": {"batch": None, "create": _NO_KEY},
    "find-batch": {"create": _NO_KEY, "batch": replace(BATCH_CONTACTS, idempotency_header=None)},
    "neither": {"batch": None, "create": _NO_KEY, "find": None, "list": None},
}
"""What the destination offers: a key and batches, a key alone, a find instead of a key, or neither."""


def integration() -> Integration:
    """The sample in the form that `SHAPE` names."""
    shape = dict(SHAPES[os.environ.get("SHAPE", "batch")])
    batch = shape.get("batch", CUSTOMERS.destination.batch)
    if isinstance(batch, Operation):
        assert CUSTOMERS.destination.batch is not None
        shape["batch"] = replace(CUSTOMERS.destination.batch, operation=batch)
    source = CUSTOMERS.source
    if size := os.environ.get("PARTITION"):
        source = replace(
            source, partition=Partition(by="range", first="id_min", last="id_max", size=int(size), start=1)
        )
    stream = CUSTOMERS
    if poison := os.environ.get("POISON"):
        stream = replace(stream, map=failpoints.deadly(stream.map, poison))
    stream = replace(stream, source=source, destination=replace(CUSTOMERS.destination, **shape), schedule=None)
    apis: dict[str, Any] = {}
    if rate := os.environ.get("RATE"):  # "40/10": requests a second, burst
        per_s, burst = rate.split("/")
        apis["destination"] = replace(
            INTEGRATION.destination, rate_limit=RateLimit(per_s=float(per_s), burst=int(burst))
        )
    if os.environ.get("SOURCE_RATE") == "none":
        apis["source"] = replace(INTEGRATION.source, rate_limit=None)
    if os.environ.get("EVENTS"):  # a body is a list of events that only name their record
        apis["webhooks"] = tuple(replace(each, events=((),), record_id=("objectId",)) for each in INTEGRATION.webhooks)
    more = range(2, int(os.environ.get("STREAMS", "1")) + 1)
    return replace(INTEGRATION, streams=(stream, *(replace(stream, name=f"customers{each}") for each in more)), **apis)


def main() -> None:
    failpoints.install(os.environ.get("FAILPOINT"))
    if os.environ.get("UNFENCED"):
        failpoints.unfence()
    if flow := os.environ.get("FLOW"):
        from runtime.cluster import queue

        queue.FLOW = flow
    if signs := os.environ.get("SIGNS"):
        from runtime.cluster import worker

        worker.SIGNS = float(signs)  # type: ignore[assignment]
    run("shopify-credo", integration)


if __name__ == "__main__":
    main()
