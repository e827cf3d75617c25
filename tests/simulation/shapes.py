"""What a stream is like in one seed: what the two systems offer, and how the stream is declared on top of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from runtime.declare import (
    Api,
    Batch,
    Destination,
    Env,
    Find,
    Integration,
    Match,
    Operation,
    Paging,
    Parameter,
    RateLimit,
    SignatureScheme,
    Since,
    Source,
    Stream,
    Webhook,
)
from runtime.matching import identity_text, optional_text
from runtime.records import MISSING, Record
from runtime.values import MappingError

STREAM = "things"
SOURCE_URL = "https://source.sim/api"
DESTINATION_URL = "https://destination.sim/api"
SECRETS = {"SOURCE_KEY": "planted-source-key-41f7", "DESTINATION_KEY": "planted-destination-key-9c02"}
PAGE = 3
"""Records on a page."""


class Thing(Record):
    """A record of the source. `rev` counts its states; the auditor goes by it, the engine cannot."""

    id: int
    email: str | None | MISSING = MISSING
    name: str | None | MISSING = MISSING
    rev: int
    updated_at: str | int | MISSING = MISSING


class Body(Record):
    """What is written."""

    ext: str
    email: str | None | MISSING = MISSING
    name: str | None | MISSING = MISSING
    rev: int


POISONED: ContextVar[Callable[[], None]] = ContextVar("POISONED")
"""Ends the process that maps a record which nothing survives."""


def to_body(thing: Thing) -> Body:
    """The mapping, with the records that no mapping survives."""
    if thing.name == "bad":
        raise MappingError("`name` cannot be mapped")
    if thing.name == "poison":
        POISONED.get()()
    return Body(ext=str(thing.id), email=thing.email, name=thing.name, rev=thing.rev)


@dataclass(slots=True, kw_only=True)
class Shape:
    """The draw."""

    mode: Literal["upsert", "append"] = "upsert"
    paging: Literal["none", "link", "cursor", "page", "offset", "next_url", "since_id"] = "cursor"
    order: Literal["id", "version"] = "id"
    """How the source sorts its list."""
    version: Literal["iso8601", "unix_s", "none"] = "iso8601"
    since: bool = True
    sorted_by_version: bool = False
    get: bool = True
    key: bool = True
    """The destination takes idempotency keys."""
    match: Literal["email", "ext", "none"] = "email"
    find: bool = True
    list: bool = False
    unique: bool = False
    """The destination refuses a second object with one match value."""
    adopt: Literal["never", "on_conflict", "prefetch", "lookup"] = "on_conflict"
    duplicates: Literal["dead", "first"] = "dead"
    update: Literal["merge", "replace", "none"] = "merge"
    read_one: bool = True
    batch: int = 0
    """Items of a batch at most; 0: there are no batches."""
    batch_reply: Literal["index", "order", "silent"] = "index"
    batch_refuses: Literal["items", "whole"] = "items"
    webhooks: bool = False
    group: int = 5
    merge_at: int = 20_000
    dead_at_least: int = 10
    workers: int = 4
    attempts: int = 3
    rate: float | None = None

    @property
    def can_find(self) -> bool:
        """Whether the engine has a way to know that an object is not there."""
        return self.match != "none" and (self.find or self.list)

    @property
    def knows(self) -> bool:
        """Whether each outcome can be found out in the end."""
        return self.mode == "upsert" and (self.key or self.can_find)


def draw_shape(chance: random.Random) -> Shape:
    """A stream that could be declared."""
    shape = Shape()
    shape.mode = "append" if chance.random() < 0.12 else "upsert"
    shape.paging = chance.choice(["none", "link", "cursor", "cursor", "page", "offset", "next_url", "since_id"])
    shape.version = chance.choice(["iso8601", "iso8601", "unix_s", "none"])
    if shape.version == "none":
        shape.since = False
    else:
        shape.since = chance.random() < 0.7
        if shape.paging not in ("since_id",) and chance.random() < 0.4:
            shape.order = "version"
            shape.sorted_by_version = chance.random() < 0.7
    shape.get = chance.random() < 0.7
    shape.key = chance.random() < 0.5
    shape.match = chance.choice(["email", "email", "ext", "none"])
    shape.find = shape.match != "none" and chance.random() < 0.6
    shape.list = chance.random() < 0.4
    shape.unique = shape.match != "none" and shape.mode == "upsert" and chance.random() < 0.5
    if shape.match != "none":
        ways = ["never", "on_conflict"]
        ways += ["lookup"] if shape.can_find else []
        ways += ["prefetch"] if shape.list else []
        shape.adopt = chance.choice(ways)  # type: ignore[assignment]
    else:
        shape.adopt = "never"
    shape.duplicates = chance.choice(["dead", "first"])
    shape.update = chance.choice(["merge", "merge", "replace", "replace", "none"])
    shape.read_one = chance.random() < 0.7 or not shape.find
    if shape.mode == "append":
        shape.update = "none"
    if chance.random() < 0.5:
        shape.batch = chance.randint(2, 5)
        replies = ["index", "order"] + (["silent"] if shape.can_find else [])
        shape.batch_reply = chance.choice(replies)  # type: ignore[assignment]
        shape.batch_refuses = chance.choice(["items", "whole"]) if shape.batch_reply != "silent" else "whole"
    shape.webhooks = shape.version != "none" and chance.random() < 0.3
    shape.group = chance.randint(2, 7)
    shape.merge_at = chance.choice([3, 8, 20_000])
    shape.dead_at_least = chance.choice([1, 10, 10, 10])
    shape.workers = chance.randint(1, 4)
    shape.attempts = chance.randint(1, 4)
    shape.rate = chance.choice([None, None, 5.0])
    return shape


def fit(shape: Shape, kind: str, chance: random.Random, *, draw: int) -> None:
    """Change a draw, where it must be, so that a kind of fault can strike in it. `draw`: see `World`."""
    if kind in ("source-cursor-forgotten", "source-page-twice") and shape.paging not in ("link", "cursor", "next_url"):
        shape.paging = "cursor"
    if kind in ("source-stale-read", "clock-differs") or kind.startswith("delivery-"):
        shape.version = "iso8601" if shape.version == "none" else shape.version
    if kind.startswith("delivery-"):
        shape.webhooks = True
    if kind in (
        "destination-item-fails",
        "destination-other-order",
        "destination-item-untold",
        "destination-too-large",
    ):
        shape.batch = shape.batch or 4
        shape.batch_reply, shape.batch_refuses = "index", "items"
        shape.group = max(shape.group, 4)
    if kind in ("destination-busy-key", "destination-forgets-keys"):
        shape.key = True
    if kind in ("destination-had-it", "destination-had-it-twice"):
        shape.match = "email"
        shape.unique = shape.unique and kind == "destination-had-it"
    if kind in ("destination-lags", "destination-empty-reply") and not shape.can_find:
        shape.match, shape.find = shape.match if shape.match != "none" else "email", True
    if kind == "destination-lags" and shape.mode == "upsert":
        shape.adopt = "lookup"
    if kind in PARTLY_ANSWERED and draw > 2:
        # What a reply leaves open is asked about again under the key, while the rest of its batch is settled.
        shape.mode, shape.key = "upsert", True
        if chance.random() < 0.5:
            shape.find = shape.list = False
            shape.read_one = True
            shape.adopt = "never" if shape.match == "none" or chance.random() < 0.5 else "on_conflict"
    if kind == "destination-loses-object":
        shape.mode = "upsert"
        shape.update = shape.update if shape.update != "none" else "merge"


COMPANIONS: dict[str, tuple[str, ...]] = {
    "destination-busy-key": ("destination-lost-after",),
    "destination-forgets-keys": ("days-off",),
    "destination-lags": ("destination-lost-after",),
    "destination-loses-object": ("source-changes-while-paging",),
    "source-stale-read": ("source-changes-while-paging",),
}
"""Kinds without which another one cannot strike."""
PARTLY_ANSWERED = {
    "destination-item-fails": ("destination-item-untold",),
    "destination-item-untold": ("destination-item-fails",),
}
"""Kinds that tell more together: a batch of which one item failed, was sent again alone and was written, and nobody knows another."""


def companions(kind: str, *, draw: int) -> tuple[str, ...]:
    """The kinds that a seed has beside its main one."""
    return COMPANIONS.get(kind, ()) + (PARTLY_ANSWERED.get(kind, ()) if draw > 2 else ())


def _parameters(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(argument=name, name=name, location="query") for name in names)


_ID = Parameter(argument="id", name="id", location="path", style="simple", explode=False, required=True)
_PAGING: dict[str, dict[str, Any]] = {
    "none": {},
    "link": {},
    "cursor": {"cursor": "cursor", "next": ("next",)},
    "next_url": {"next": ("next",)},
    "page": {"page": "page"},
    "offset": {"offset": "offset"},
    "since_id": {"cursor": "since_id"},
}


def integration_of(shape: Shape) -> Integration:
    """The declarations that a compiler would have written for it."""
    limit = RateLimit(per_s=shape.rate, burst=3) if shape.rate is not None else None
    source_api = Api(name="source", title="Source", base_url=SOURCE_URL, headers=(("X-Key", Env("SOURCE_KEY", True)),))
    destination_api = Api(
        name="destination",
        title="Destination",
        base_url=DESTINATION_URL,
        headers=(("X-Key", Env("DESTINATION_KEY", True)),),
        rate_limit=limit,
    )
    paging = Paging(
        style=shape.paging,
        limit=None if shape.paging == "none" else "limit",
        max=None if shape.paging == "none" else PAGE,
        **_PAGING[shape.paging],
    )
    listing = Operation(
        id="GET /things",
        api="source",
        method="GET",
        path="/things",
        parameters=_parameters("limit", "cursor", "page", "offset", "since_id", "since"),
        records=("things",),
        paging=paging,
    )
    one = Operation(
        id="GET /things/{id}", api="source", method="GET", path="/things/{id}", parameters=(_ID,), record=("thing",)
    )
    header = "Idempotency-Key" if shape.key else None

    def write(method: str, path: str, *parameters: Parameter) -> Operation:
        return Operation(
            id=f"{method} {path}",
            api="destination",
            method=method,
            path=path,
            parameters=parameters,
            body="json",
            idempotency_header=header,
        )

    found = Operation(
        id="GET /items",
        api="destination",
        method="GET",
        path="/items",
        parameters=_parameters("limit", "cursor", "email", "ext"),
        records=("items",),
        paging=Paging(style="cursor", limit="limit", max=7, cursor="cursor", next=("next",)),
    )
    read = Operation(id="GET /items/{id}", api="destination", method="GET", path="/items/{id}", parameters=(_ID,))
    batch = None
    if shape.batch:
        silent = shape.batch_reply == "silent"
        batch = Batch(
            operation=write("POST", "/items/batch"),
            items=("items",),
            max=shape.batch,
            results=None if silent else ("results",),
            index=("index",) if shape.batch_reply == "index" else None,
            status=None if silent else ("status",),
            identity=None if silent else ("id",),
            error=None if silent else ("error",),
        )
    match: tuple[Match[Thing], ...] = ()
    if shape.match == "email":
        match = (Match(source=lambda t: optional_text(t.email), destination=("email",), compare=("trim", "lower")),)
    elif shape.match == "ext":
        match = (Match(source=lambda t: str(t.id), destination=("ext",)),)
    stream: Stream[Thing, Body] = Stream(
        name=STREAM,
        mode=shape.mode,
        source=Source(
            list=listing,
            get=one if shape.get else None,
            record=Thing,
            identity=lambda thing: identity_text(thing.id),
            version=None if shape.version == "none" else lambda thing: optional_text(thing.updated_at),
            since=Since(parameter="since", format=shape.version) if shape.since and shape.version != "none" else None,
            sorted_by_version=shape.sorted_by_version,
        ),
        destination=Destination(
            body=Body,
            create=write("POST", "/items"),
            update=None if shape.update == "none" else write("PUT", "/items/{id}", _ID),
            update_is="replace" if shape.update == "replace" else "merge",
            get=read if shape.read_one else None,
            list=found if shape.list else None,
            find=Find(operation=found, parameters=((shape.match, shape.match),)) if shape.find else None,
            batch=batch,
            never_sent=(("id",),),
        ),
        map=to_body,
        match=match,
        adopt=shape.adopt,
        duplicates=shape.duplicates,
        mapping_digest="sha256:simulated",
    )
    from runtime.declare import CONTRACT

    webhook = Webhook(
        topics=("changed",),
        scheme=SignatureScheme(header="X-Signature"),
        secret=Env("HOOK_SECRET", True),
        stream=STREAM,
    )
    return Integration(
        name="simulated",
        version="1",
        contract=CONTRACT,
        source=source_api,
        destination=destination_api,
        streams=(stream,),
        webhooks=(webhook,) if shape.webhooks else (),
        settings=(Env("SOURCE_KEY", True), Env("DESTINATION_KEY", True)),
    )
