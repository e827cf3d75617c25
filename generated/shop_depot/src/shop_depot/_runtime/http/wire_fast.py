"""The fast wire: HTTP/1.1 on a protocol of our own behind httpx's transport interface, for the extra `fast`.

Replies are parsed by httptools (llhttp), connections are asyncio's. A request is one write on a connection that is kept, its
reply one future: no request is ever sent a second time by the wire itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import httptools
import httpx

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
"""Header fields of a reply."""
MAX_HEAD_BYTES = 64 * 1024
"""All header fields of a reply together."""
NAMES_KEPT_S = 60.0
"""How long the addresses of a name are remembered."""
_TARGET = re.compile(rb"[\x21-\x7e]+")
_METHOD = re.compile(r"[A-Z]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Spelled:
    """A target and header lines as they go over the wire, ready to be sent again and again."""

    __slots__ = ("fields", "lines", "target")

    def __init__(self, target: bytes, fields: dict[str, tuple[bytes, bytes]], lines: bytes | None = None) -> None:
        if not _TARGET.fullmatch(target):
            raise RequestRefused("the URL cannot be sent")
        self.target = target
        self.fields = fields
        """By lower-case name."""
        self.lines = b"".join([b"%b: %b\r\n" % field for field in fields.values()]) if lines is None else lines

    def vary(self, target: str | None, extra: Iterable[tuple[str, str]]) -> Spelled:
        """On the same origin: with another path and query, with further header fields."""
        where = self.target if target is None else _ascii(target)
        if not extra:
            return Spelled(where, self.fields, self.lines)
        fields, lines, is_new = self.fields, self.lines, True
        for name, value in extra:
            key, line = name.lower(), _field(name.encode("ascii"), value.encode())
            if fields is self.fields:
                fields = dict(fields)
            if key in fields:
                is_new = False
                if key == "cookie":
                    line = line[0], b"%b; %b" % (fields[key][1], line[1])
            elif is_new:
                lines += b"%b: %b\r\n" % line
            fields[key] = line
        return Spelled(where, fields, lines if is_new else None)


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = (
        "_cap", "_chunks", "_fields", "_head_bytes", "_inflater", "_is_framed", "_is_head", "_on_lost", "_parser", "_size",
        "_transport", "_waiter", "begun", "idle_since", "is_open", "is_reusable", "sent",
    )  # fmt: skip

    def __init__(self, cap: int, on_lost: Any) -> None:
        self._cap = cap
        self._on_lost = on_lost
        self._waiter: asyncio.Future[tuple[int, list[tuple[bytes, bytes]], bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self.is_open = False
        self.is_reusable = False
        self.idle_since = 0.0
        self.begun = False
        """The reply's head is there."""
        self._clear()

    def _clear(self) -> None:
        self._fields: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._inflater: Inflater | None = None
        self._head_bytes = 0
        self._size = 0
        self._is_framed = False
        self.begun = False

    # --- what the loop tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.abort()  # nothing was asked
            return
        if not self.begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if not self.begun and self._head_bytes > MAX_HEAD_BYTES:
                raise TransportError(f"the reply's head is larger than {MAX_HEAD_BYTES} bytes", sent=True)
        except httptools.HttpParserUpgrade:
            self.fail(TransportError("the reply is not HTTP as it should be: it changes the protocol", sent=True))
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__ if isinstance(error.__context__, Exception) else error
            self.fail(cause)
        except httptools.HttpParserError as error:
            words = f"the reply is not HTTP as it should be: {type(error).__name__}"
            self.fail(TransportError(words, sent=True))
        except Exception as error:
            self.fail(error)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = self.is_reusable = False
        waiter = self._waiter
        if waiter is not None:
            if error is None and self.begun and not self._is_framed:
                self._complete()  # its length is where the connection ends
            elif self.begun:
                self.fail(TransportError("the reply ends early", sent=True))
            else:
                words = "the server closed it" if error is None else reason(error)
                self.fail(TransportError(f"the connection was lost: {words}", sent=None))
        self._on_lost(self)

    # --- what the parser tells ---

    def on_message_begin(self) -> None:
        if self._waiter is None:
            self.is_reusable = False
            raise TransportError("a reply that nobody asked for", sent=True)

    def on_header(self, name: bytes, value: bytes) -> None:
        fields = self._fields
        fields.append((name, value))
        if len(fields) > MAX_FIELDS:
            raise TransportError(f"the reply has more than {MAX_FIELDS} header fields", sent=True)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self.begun = True
        encoding = b""
        for name, value in self._fields:
            length = len(name)
            if length == 14 and name.lower() == b"content-length":
                self._is_framed = True
                if value.isdigit() and int(value) > self._cap and not self._is_head:
                    raise BodyTooLarge(f"the reply announces {int(value)} bytes, more than {self._cap}")
            elif length == 17 and name.lower() == b"transfer-encoding":
                self._is_framed = True
                if value.strip().lower() != b"chunked":
                    raise TransportError("the reply has a transfer encoding that was not asked for", sent=True)
            elif length == 16 and name.lower() == b"content-encoding":
                encoding = value.strip().lower()
        if status in (204, 304):
            self._is_framed = True
        if encoding and encoding != b"identity":
            if encoding not in (b"gzip", b"x-gzip", b"deflate"):
                raise TransportError("the reply has a content encoding that was not asked for", sent=True)
            self._inflater = Inflater(self._cap)
        if self._is_head:
            self.is_reusable = False  # the parser waits for a body that does not come
            self._complete()

    def on_body(self, data: bytes) -> None:
        if self._inflater is not None:
            self._inflater.feed(data)
            return
        self._size += len(data)
        if self._size > self._cap:
            raise BodyTooLarge(f"the reply is larger than {self._cap} bytes")
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._fields = []
            return
        self.is_reusable = self.is_reusable and self._parser.should_keep_alive()
        self._complete()

    # --- what the wire asks ---

    def ask(
        self, data: bytes, *, is_head: bool, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Future[tuple[int, list[tuple[bytes, bytes]], bytes]]:
        """Send; the future has status, header fields and body."""
        assert self._transport is not None
        self._clear()
        self._is_head = is_head
        self._parser = httptools.HttpResponseParser(self)
        self.is_reusable = True
        self._waiter = waiter = loop.create_future()
        self._transport.write(data)
        return waiter

    def fail(self, error: BaseException) -> None:
        """End the exchange and the connection."""
        waiter, self._waiter = self._waiter, None
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def abort(self) -> None:
        """End the connection, whatever is under way."""
        self.is_reusable = False
        self._waiter = None
        if self._transport is not None:
            self._transport.abort()

    def _complete(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        try:
            chunks = self._chunks
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if self._inflater is not None:
                body = self._inflater.finish()
        except Exception as error:
            self._waiter = waiter
            self.fail(error)
            return
        waiter.set_result((self._parser.get_status_code(), self._fields, body))


class FastWire(httpx.AsyncBaseTransport):
    """Sends to one origin. Use it inside one running event loop; `aclose` ends its connections."""

    def __init__(
        self, origin: Origin, options: WireOptions | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._options = options or WireOptions()
        self._origin = origin
        self._policy = AddressPolicy(origin, allow_private_network=self._options.allow_private_network)
        self._tls = tls
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        default = origin.port == (443 if origin.scheme == "https" else 80)
        self._authority = (host if default else f"{host}:{origin.port}").encode()
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._addresses: list[str] = []
        self._addresses_until = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send once and read the whole reply.

        Raises:
            TransportError: with `sent` False only when nothing can have reached the server.
            AddressRefused: the host's address is closed to this package.
            RequestRefused: the request is for another origin, or not one that HTTP can carry.
        """
        stream = request.stream
        data: bytes = stream.data if type(stream) is Body else await request.aread()
        extensions: Mapping[str, Any] = request.extensions
        spelled: Spelled = extensions.get("spelled") or self.spell(
            request.url, extensions.get("target"), request.headers.raw
        )
        method = request.method
        if not _METHOD.fullmatch(method):
            raise RequestRefused("the method cannot be sent")
        length = b"Content-Length: %d\r\n" % len(data) if data or method not in _NO_BODY else b""
        head = b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method.encode(), spelled.target, spelled.lines, length)
        loop = asyncio.get_running_loop()
        deadline_s: float = extensions.get("deadline_s", self._options.deadline_s)
        until = loop.time() + deadline_s
        # An idle connection is taken without waiting for anything.
        if self._idle and self._taken < self._options.max_connections and (ready := self._kept(loop.time())):
            self._taken += 1
            connection = ready
        else:
            connection = await self._connected(until, deadline_s)
        timer = loop.call_at(until, self._expired, connection, deadline_s)
        try:
            status, fields, body = await connection.ask(head + data, is_head=method == "HEAD", loop=loop)
        except BaseException:
            connection.abort()
            raise
        finally:
            timer.cancel()
            self._give_back(connection, loop)
        return httpx.Response(status, headers=fields, stream=Body(body), request=request)

    def spell(self, url: httpx.URL, target: bytes | None, fields: Iterable[tuple[bytes, bytes]]) -> Spelled:
        """Put a request's head into bytes; goes into `extensions["spelled"]`, or is made for each request.

        Raises:
            RequestRefused: when `url` is on another origin than this wire's, or a field is not one that HTTP can carry.
        """
        origin = self._origin
        if url.scheme != origin.scheme or url.host.lower().rstrip(".") != origin.host:
            raise RequestRefused("the request is for another origin than the API's own")
        if (url.port or (443 if origin.scheme == "https" else 80)) != origin.port:
            raise RequestRefused("the request is for another port than the API's own")
        lines = {"host": (b"Host", self._authority)}
        for name, value in fields:
            key = name.decode("ascii").lower()
            if key not in ("host", "content-length"):
                lines[key] = _field(name, value)
        return Spelled(target or url.raw_path, lines)

    # --- connections ---

    def _kept(self, now: float) -> _Connection | None:
        """The connection that was used last, when it is young enough to trust."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.idle_since < self._options.keepalive_s:
                return connection
            connection.abort()
        return None

    async def _connected(self, until: float, deadline_s: float) -> _Connection:
        """A place among the connections and one that is open. Nothing was sent when this fails."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(until) as whole:
                if self._taken >= self._options.max_connections or self._waiting:
                    waiter: asyncio.Future[None] = loop.create_future()
                    self._waiting.append(waiter)
                    try:
                        await waiter
                    except BaseException:
                        if waiter.done() and not waiter.cancelled():
                            self._free_place()
                        raise
                else:
                    self._taken += 1
                try:
                    return self._kept(loop.time()) or await self._connect(loop)
                except BaseException:
                    self._free_place()
                    raise
        except TimeoutError:
            if not whole.expired():
                raise
            raise DeadlineExceeded(f"no complete reply within {deadline_s:g} s", sent=False) from None

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        origin = self._origin
        try:
            async with asyncio.timeout(self._options.connect_timeout_s) as limit:
                problem: OSError | None = None
                for address in await self._resolved(loop):
                    try:
                        _, connection = await loop.create_connection(
                            lambda: _Connection(self._options.max_body_bytes, self._lost),
                            address,
                            origin.port,
                            ssl=self._context(),
                            server_hostname=origin.host if origin.scheme == "https" else None,
                        )
                    except ssl.SSLError as error:
                        raise TlsFailed(f"no secure connection to `{origin.host}`: {reason(error)}") from error
                    except OSError as error:
                        problem = error
                    else:
                        self._all.add(connection)
                        return connection
                words = reason(problem) if problem is not None else "it has no address"
                raise ConnectFailed(f"no connection to `{origin.host}`: {words}") from problem
        except TimeoutError:
            if not limit.expired():
                raise
            raise ConnectFailed("no connection in time") from None

    def _context(self) -> ssl.SSLContext | None:
        if self._origin.scheme != "https":
            return None
        if self._tls is None:
            self._tls = tls_context()
        return self._tls

    async def _resolved(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        """The addresses of the host that the policy opens."""
        if self._addresses and loop.time() < self._addresses_until:
            return self._addresses
        host = self._origin.host
        try:
            found = await loop.getaddrinfo(host, self._origin.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ConnectFailed(f"no connection to `{host}`: {reason(error)}") from error
        refused: AddressRefused | None = None
        addresses: list[str] = []
        for *_, place in found:
            address = str(place[0])
            try:
                self._policy.check(host, ipaddress.ip_address(address.partition("%")[0]))
            except AddressRefused as error:
                refused = error
            else:
                if address not in addresses:
                    addresses.append(address)
        if refused is not None and not addresses:
            raise refused
        self._addresses, self._addresses_until = addresses, loop.time() + NAMES_KEPT_S
        return addresses

    def _expired(self, connection: _Connection, deadline_s: float) -> None:
        sent = True if connection.begun else None
        connection.fail(DeadlineExceeded(f"no complete reply within {deadline_s:g} s", sent=sent))

    def _give_back(self, connection: _Connection, loop: asyncio.AbstractEventLoop) -> None:
        if connection.is_reusable and connection.is_open:
            connection.idle_since = loop.time()
            self._idle.append(connection)
        else:
            connection.abort()
        self._free_place()

    def _free_place(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the place goes over as it is
                return
        self._taken -= 1

    def _lost(self, connection: _Connection) -> None:
        self._all.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    async def aclose(self) -> None:
        """End all connections."""
        for connection in list(self._all):
            connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)


def _field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if _FORBIDDEN.search(value) or not name or _FORBIDDEN.search(name) or b":" in name or b" " in name:
        raise RequestRefused("the request holds what HTTP cannot carry")
    return name, value


def _ascii(target: str) -> bytes:
    try:
        return target.encode("ascii")
    except UnicodeEncodeError:
        raise RequestRefused("the URL cannot be sent") from None
