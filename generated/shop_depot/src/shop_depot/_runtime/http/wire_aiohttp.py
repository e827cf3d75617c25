"""The default wire: aiohttp's connections behind httpx's transport interface.

aiohttp is used bare: no cookies, no automatic headers, no redirects, no decompression, no resending, no timer of its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from ..errors import (
    AddressRefused,
    BodyTooLarge,
    ConnectFailed,
    DeadlineExceeded,
    RequestRefused,
    TlsFailed,
    TransportError,
)
from .wire import AddressPolicy, Body, Inflater, Origin, WireOptions, reason, tls_context

MAX_FIELDS = 256
"""Header fields of a reply. aiohttp bounds the length of each, and in newer versions their number."""
_ENCODING = aiohttp.hdrs.CONTENT_ENCODING


class _Alarm:
    """Cancels a task once when the deadline passes, and knows that it did."""

    __slots__ = ("fired", "task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.fired = False

    def __call__(self) -> None:
        self.fired = True
        self.task.cancel()


class Spelled:
    """A request line and its header fields in aiohttp's own types, ready to be sent again and again."""

    __slots__ = ("_authority", "_scheme", "headers", "url")

    def __init__(self, scheme: str, authority: str, target: str, headers: CIMultiDict[str]) -> None:
        self._scheme = scheme
        self._authority = authority
        self.headers = headers
        path, _, query = target.partition("?")
        self.url = URL.build(scheme=scheme, authority=authority, path=path or "/", query_string=query, encoded=True)

    def vary(self, target: str | None, extra: Iterable[tuple[str, str]]) -> Spelled:
        """On the same origin: with another path and query, with further header fields."""
        headers = self.headers
        if extra:
            headers = headers.copy()
            for name, value in extra:
                if name == "Cookie" and (cookies := headers.get(name)):
                    value = f"{cookies}; {value}"
                headers[name] = value
        if target is not None:
            return Spelled(self._scheme, self._authority, target, headers)
        varied = object.__new__(Spelled)
        varied._scheme, varied._authority, varied.url, varied.headers = self._scheme, self._authority, self.url, headers
        return varied


class _Request(aiohttp.ClientRequest):
    """Sends the header fields that it is given, and adds framing only."""

    _skip_auto_headers = CIMultiDict([(aiohttp.hdrs.CONTENT_TYPE, None)])  # or a POST without a body would get one

    def update_headers(self, headers: Any) -> None:
        if type(headers) is CIMultiDict and aiohttp.hdrs.HOST in headers:
            self.headers = headers
        else:
            super().update_headers(headers)

    def update_auto_headers(self, skip_auto_headers: Any) -> None:
        """None is added."""


class _Lost(Exception):
    """The connection broke after the request was handed to it. Not one of aiohttp's errors: those it would resend itself."""


class _Reply(aiohttp.ClientResponse):
    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        try:
            return await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _Lost(reason(error)) from error


class _Connector(aiohttp.TCPConnector):
    """Marks what goes wrong before a connection is there, a cancellation included: nothing was sent then."""

    async def connect(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> Any:
        try:
            return await super().connect(req, traces, timeout)
        except BaseException as error:
            error.__dict__["not_sent"] = True
            raise


class _Resolver(AbstractResolver):
    """The machine's resolver, less the addresses that the policy closes."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        open_: list[ResolveResult] = []
        refused: AddressRefused | None = None
        for each in found:
            try:
                self._policy.check(host, ipaddress.ip_address(each["host"].partition("%")[0]))
            except AddressRefused as error:
                refused = error
            else:
                open_.append(each)
        if refused is not None and not open_:
            raise refused
        return open_

    async def close(self) -> None:
        await self._inner.close()


class AiohttpWire(httpx.AsyncBaseTransport):
    """Sends to one origin. Open it inside a running event loop; `aclose` ends its connections."""

    def __init__(
        self, origin: Origin, options: WireOptions | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._options = options or WireOptions()
        self._origin = origin
        self._policy = AddressPolicy(origin, allow_private_network=self._options.allow_private_network)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        default = origin.port == (443 if origin.scheme == "https" else 80)
        self._authority = host if default else f"{host}:{origin.port}"

    def _open(self) -> aiohttp.ClientSession:
        options = self._options
        connector = _Connector(
            limit=options.max_connections,
            keepalive_timeout=options.keepalive_s,
            resolver=_Resolver(self._policy),
            ttl_dns_cache=60,
            ssl=(self._tls or tls_context()) if self._origin.scheme == "https" else True,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            request_class=_Request,
            response_class=_Reply,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            requote_redirect_url=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_timeout_s),
            read_bufsize=2**18,
        )
        self._session = session
        return session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send once and read the whole reply.

        Raises:
            TransportError: with `sent` False only when nothing can have reached the server.
            AddressRefused: the host's address is closed to this package.
            RequestRefused: the request is for another origin, or not one that HTTP can carry.
        """
        session = self._session or self._open()
        stream = request.stream
        data: bytes | None = stream.data if type(stream) is Body else await request.aread()
        extensions: Mapping[str, Any] = request.extensions
        spelled: Spelled = extensions.get("spelled") or self.spell(
            request.url, extensions.get("target"), request.headers.raw
        )
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        deadline_s: float = extensions.get("deadline_s", self._options.deadline_s)
        alarm = _Alarm(task)
        timer = asyncio.get_running_loop().call_later(deadline_s, alarm)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await session.request(
                request.method,
                spelled.url,
                data=data or None,
                headers=spelled.headers,
                allow_redirects=False,
            )
            if len(response.raw_headers) > MAX_FIELDS:
                raise TransportError(f"the reply has more than {MAX_FIELDS} header fields", sent=True)
            body = await self._read(response)
            return httpx.Response(
                response.status,
                headers=response.raw_headers,
                stream=Body(body),
                request=request,
            )
        except BaseException as error:
            if response is not None:
                response.close()
            if alarm.fired:
                cancelled = task.uncancel() > before
                if isinstance(error, asyncio.CancelledError) and not cancelled:
                    sent = True if response is not None else (False if "not_sent" in error.__dict__ else None)
                    raise DeadlineExceeded(f"no complete reply within {deadline_s:g} s", sent=sent) from None
            if (known := _translate(error, begun=response is not None)) is None:
                raise
            raise known from error
        finally:
            timer.cancel()

    def spell(self, url: httpx.URL, target: bytes | None, fields: Iterable[tuple[bytes, bytes]]) -> Spelled:
        """Put a request's head into aiohttp's types; goes into `extensions["spelled"]`, or is made for each request.

        Args:
            target: Path and query as they go over the wire, when that is not what `url` has.

        Raises:
            RequestRefused: when `url` is on another origin than this wire's.
        """
        origin = self._origin
        if url.scheme != origin.scheme or url.host.lower().rstrip(".") != origin.host:
            raise RequestRefused("the request is for another origin than the API's own")
        if (url.port or (443 if origin.scheme == "https" else 80)) != origin.port:
            raise RequestRefused("the request is for another port than the API's own")
        headers = CIMultiDict([("Host", self._authority)])
        headers.update(
            (name.decode("ascii"), value.decode("utf-8")) for name, value in fields if name.lower() != b"host"
        )
        return Spelled(origin.scheme, self._authority, (target or url.raw_path).decode("ascii"), headers)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        cap = self._options.max_body_bytes
        length = response.content_length
        if length is not None and length > cap:
            raise BodyTooLarge(f"the reply announces {length} bytes, more than {cap}")
        encoding = response.headers.get(_ENCODING)
        if encoding is None or encoding.lower() == "identity":
            if length is not None:
                return await response.read()
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > cap:
                    chunks.clear()  # the error's traceback keeps them for a while
                    raise BodyTooLarge(f"the reply is larger than {cap} bytes")
                chunks.append(chunk)
            response.release()
            return b"".join(chunks)
        if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
            raise TransportError("the reply has a content encoding that was not asked for", sent=True)
        inflater = Inflater(cap)
        async for chunk in response.content.iter_any():
            inflater.feed(chunk)
        response.release()
        return inflater.finish()

    async def aclose(self) -> None:
        """End all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _translate(error: BaseException, *, begun: bool) -> Exception | None:
    """What aiohttp raised, in our words. None: leave it as it is."""
    sent: bool | None = True if begun else (False if "not_sent" in getattr(error, "__dict__", {}) else None)
    match error:
        case TransportError() | AddressRefused() | RequestRefused():
            return None
        case _Lost():
            return TransportError(f"the connection was lost: {error}", sent=None)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return TlsFailed(f"no secure connection to `{error.host}`: {reason(error)}")
        case aiohttp.ClientConnectorError():
            return ConnectFailed(f"no connection to `{error.host}`: {reason(error)}")
        case aiohttp.ConnectionTimeoutError():
            return ConnectFailed("no connection in time")
        case aiohttp.ClientPayloadError():
            return TransportError("the reply ends early", sent=True)
        case aiohttp.InvalidURL():
            return RequestRefused("the URL cannot be sent")
        case aiohttp.ClientResponseError():
            return TransportError(f"the reply is not HTTP as it should be: {type(error).__name__}", sent=True)
        case aiohttp.ClientError() | OSError():
            return TransportError(f"the connection failed: {reason(error)}", sent=sent)
        case ValueError():
            return RequestRefused("the request holds what HTTP cannot carry")
        case _:
            return None
