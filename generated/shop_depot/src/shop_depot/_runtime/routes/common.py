"""What the files of routes share: how a route is declared, how a body is read, how a refusal looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import RequestRefused
from ..hashing import encode_json
from ..roles import Role

MAX_CONTROL_BYTES = 64 * 1024
BODY_TIMEOUT_S = 10.0
Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


class TooLarge(Exception):
    """A body above its limit."""


class BadBody(RequestRefused):
    """A body that is not what the route takes."""


class WrongMedia(Exception):
    """A body that does not say that it is JSON."""


@dataclass(frozen=True, slots=True)
class Control:
    """One route of the control API: answered to callers whose role allows it."""

    method: str
    path: str
    role: Role
    handler: Handler
    is_audited: bool = False
    """Whether a GET leaves a trace too, because it shows records. All other methods do."""


def problem(status: int, text: str) -> JSONResponse:
    """A refusal, as a sentence."""
    return JSONResponse({"error": text}, status_code=status)


async def read_body(request: Request, limit: int) -> bytes:
    """The body, as long as it is not above the limit and comes in time.

    Raises:
        TooLarge: before more than the limit was held.
        TimeoutError: it came too slowly.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:18]) > limit:
        raise TooLarge
    pieces: list[bytes] = []
    size = 0
    async with asyncio.timeout(BODY_TIMEOUT_S):
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise TooLarge
            pieces.append(piece)
    return b"".join(pieces)


async def asked_for(request: Request, type: type[T], what: str) -> T:
    """The body of a control request, decoded. No body is an empty object.

    Raises:
        BadBody: it is not what `type` says.
        WrongMedia: it is not sent as JSON; a form of another site cannot say that it is.
    """
    body = await read_body(request, MAX_CONTROL_BYTES)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media != "application/json":
        raise WrongMedia
    try:
        return msgspec.json.decode(body or b"{}", type=type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadBody(f"the body is not {what}: {error}") from error


def limit_of(request: Request, default: int = 20, most: int = 1000) -> int:
    """The query parameter `limit`."""
    text = request.query_params.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= most:
        raise BadBody(f"`limit` is a number from 1 to {most}")
    return int(text)


def json_reply(value: Any, status: int = 200) -> Response:
    """A reply that may hold records: decimals keep their digits, times and bytes are text."""
    return Response(encode_json(value), status_code=status, media_type="application/json")


def target(request: Request, text: Any) -> None:
    """Say, for the audit, what the request is about."""
    request.state.target = str(text)
