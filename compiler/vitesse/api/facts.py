"""The values of facts: what is inferred about an operation, pinned in `facts/<api>.yaml`, read by `plan`.

A fact is a value with its place in the spec and a confidence from 0 to 1. `ingest` infers and writes; `build` only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from ..frozen import dataclass
from .model import Json

PagingStyle: TypeAlias = Literal["none", "link", "cursor", "page", "offset", "next_url", "since_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a list operation hands out its next page. Paths are field paths into the response body.

    link      RFC 8288 `Link` header with rel="next"
    cursor    `cursor` names the parameter, `next` the path of its next value (`has_more` optional; `next` may point into the
              last record: `data[-1].id`, as Stripe does with `starting_after`)
    page      `page` names the parameter; `first_page` its first value
    offset    `offset` names the parameter; it counts records
    next_url  `next` is the path of a URL to follow as it is
    since_id  `cursor` names the parameter; its next value is the identity of the last record
    """

    style: PagingStyle
    limit: str | None = None
    """The page size parameter."""
    max: int | None = None
    """The largest page size in records."""
    cursor: str | None = None
    page: str | None = None
    first_page: int = 1
    offset: str | None = None
    next: str | None = None
    has_more: str | None = None
    total: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """`per_s` requests a second with bursts of `burst`; the headers tell the vendor's own count when it sends one."""

    per_s: float
    burst: int = 1
    used_header: str | None = None
    """A header `used/bucket`, such as Shopify's call limit."""
    remaining_header: str | None = None
    reset_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """When a reply counts as done: a 2xx status, and where `path` is set, the body's value there equal to `equals`."""

    path: str | None = None
    equals: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResults:
    """A batch operation: where the items go in the request and where each item's fate is in the reply."""

    items: str
    """Path of the list of items in the request body; empty when the body is the list."""
    max: int = 100
    results: str | None = None
    """Path of the list of results in the response; None: the reply says nothing per item."""
    result_by: Literal["index", "field"] = "index"
    index: str | None = None
    """Path of the item's index in one result, when results are not in request order."""
    status: str | None = None
    """Path of a status code or word in one result."""
    ok: tuple[Json, ...] = (200, 201, 204)
    identity: str | None = None
    """Path of the written record's identity in one result."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFact:
    """Topics a vendor sends and the signature scheme over them (a preset's name such as `shopify`)."""

    topics: tuple[str, ...]
    scheme: str | None = None


FactKind: TypeAlias = Literal[
    "records",
    "record",
    "paging",
    "rate_limit",
    "success",
    "identity",
    "version",
    "since",
    "sorted_by",
    "idempotency",
    "batch",
    "update_is",
    "find",
    "webhooks",
]
"""records: path of the list in a list reply (`customers`, empty for a bare array). record: path of the one record in a single reply.
identity, version: field path in a record. since: query parameter. sorted_by: field path, with a leading `-` when descending.
idempotency: request header. update_is: `replace` or `merge`. find: destination field path → `query.<parameter>`."""

FactValue: TypeAlias = "Paging | RateLimit | Success | BatchResults | WebhookFact | Mapping[str, str] | str | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of a facts file. `by` is `person` when someone wrote it; such a line is never overwritten."""

    kind: FactKind
    value: FactValue
    at: str = ""
    confidence: float = 0.0
    by: Literal["ingest", "person"] = "ingest"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFacts:
    """All facts of one API: operation id → kind → fact."""

    api: str
    operations: Mapping[str, Mapping[FactKind, Fact]] = field(default_factory=dict)

    def get(self, operation: str, kind: FactKind) -> Fact | None:
        return self.operations.get(operation, {}).get(kind)


CONFIDENT = 0.8
"""A fact that a stream uses with less confidence than this is an open question until a person confirms it."""
