"""What comes back from an API: one complete reply, one page of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from ..declare import Json, Operation
from .paging import Picked, read_json, value_at
from .retry import http_date_s

_REQUEST_IDS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "x-trace-id", "cf-ray")


class Reply:
    """A complete 2xx reply."""

    __slots__ = ("attempts", "body", "headers", "operation", "status")

    def __init__(self, operation: Operation, status: int, headers: httpx.Headers, body: bytes, attempts: int) -> None:
        self.operation = operation
        self.status = status
        self.headers = headers
        self.body = body
        self.attempts = attempts
        """How often the request was sent, this time included."""

    def __repr__(self) -> str:
        return f"<Reply {self.status} to {self.operation.id}, {len(self.body)} bytes>"

    @property
    def request_id(self) -> str | None:
        """The vendor's own name for this exchange."""
        return request_id(self.headers)

    @property
    def server_date_s(self) -> float | None:
        """The server's clock, in seconds since 1970."""
        return http_date_s(self.headers.get("date"))

    def json(self) -> Json:
        """The body; floats as floats. Raises `DecodeError` or `Truncated`."""
        return read_json(self.operation, self.body, self.headers, lambda body: value_at(body, ()))


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page of a list."""

    taken: Sequence[bytes | Picked]
    """Each record as the bytes that came, or with the members that were asked for read already."""
    next: Json | None
    """The cursor of the next page, fit for a checkpoint; None at the end."""
    reply: Reply = field(repr=False)

    @property
    def records(self) -> list[bytes]:
        """Each record as the bytes that came."""
        return [bytes(each) for each in self.taken]

    @property
    def server_date_s(self) -> float | None:
        """The server's clock when it made this page."""
        return self.reply.server_date_s

    @property
    def requests(self) -> int:
        """How many requests it took."""
        return self.reply.attempts


def request_id(headers: httpx.Headers) -> str | None:
    """The vendor's name for an exchange, cut at 100 characters and without anything unprintable."""
    for name in _REQUEST_IDS:
        if (text := headers.get(name)) is not None:
            return "".join(char for char in text[:100] if char.isprintable())
    return None
