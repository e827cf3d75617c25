"""One request → one complete reply, within bounds: the parts that every wire shares.

A wire is an `httpx.AsyncBaseTransport`: tests put `httpx.MockTransport` there, packages the one of `wire_aiohttp.py`. What a
wire promises beside that interface: a deadline over the whole attempt, body included (`extensions["deadline_s"]`); no
redirects, no cookies, no proxies from the environment; a decoded body no larger than the cap; requests to one origin only;
errors of `errors.py`, with an honest `sent`.
"""

from __future__ import annotations

import ipaddress
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from ..errors import AddressRefused, BodyTooLarge, TransportError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_GZIP_RATIO = 250
"""JSON shrinks to a tenth, repetitive JSON to a hundredth; what inflates more than this is not JSON."""
RATIO_FREE_BYTES = 1024 * 1024
"""Bodies up to this decoded size may have any ratio: they cannot hurt."""

PIECE_BYTES = 1024 * 1024
"""So much is unpacked before the bounds are looked at."""


class Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body that is there as a whole. Wires and clients take `data` instead of iterating."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self.data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data


EMPTY = Body(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOptions:
    """Bounds of one wire."""

    deadline_s: float = 60.0
    connect_timeout_s: float = 10.0
    max_body_bytes: int = 64 * 1024 * 1024
    max_connections: int = 16
    keepalive_s: float = 15.0
    allow_private_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: where credentials may go. `root` has no path and no slash at its end."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute http(s) URL. Raises ValueError for anything else, and for one with a user in it."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or "\\" in parts.netloc:
            raise ValueError("not an absolute http(s) URL")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname.lower().rstrip("."),
            port=parts.port or (443 if parts.scheme == "https" else 80),
        )


class AddressPolicy:
    """Which addresses a name may lead to.

    Link-local addresses (cloud metadata), multicast and the like are closed. Private and loopback addresses, and plain HTTP
    to them, are open when the setting allows it or when the URL itself spells the address (or `localhost`): then no name
    server decides. Plain HTTP to public addresses is closed.
    """

    __slots__ = ("_plain", "_private")

    def __init__(self, origin: Origin, *, allow_private_network: bool) -> None:
        self._plain = origin.scheme == "http"
        literal = _literal(origin.host)
        self._private = allow_private_network or literal is not None or origin.host == "localhost"
        if literal is not None:
            self.check(origin.host, literal)

    def check(self, host: str, address: IpAddress) -> None:
        """Raises `AddressRefused` when `host` may not be reached at `address`."""
        if (reason := self.problem(address)) is not None:
            raise AddressRefused(f"`{host}` is at {address}, {reason}")

    def problem(self, address: IpAddress) -> str | None:
        """Why the address is closed, or None."""
        address = _inner(address)
        if address.is_loopback or (_is_private(address) and not address.is_link_local and address not in _METADATA):
            return None if self._private else "a private address: set ALLOW_PRIVATE_NETWORK=true if it is meant"
        if address in _METADATA or not address.is_global or address.is_multicast:
            return "which is link-local, multicast or reserved"
        return "a public address: plain HTTP does not go there, use https" if self._plain else None


_METADATA = frozenset(ipaddress.ip_address(each) for each in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200"))
_PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _is_private(address: IpAddress) -> bool:
    return any(address.version == network.version and address in network for network in _PRIVATE)


def _inner(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _literal(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


class Inflater:
    """gzip (and zlib) bytes → decoded bytes, never more than the cap in memory."""

    __slots__ = ("_cap", "_engine", "_in", "_out", "_size")

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._engine = zlib.decompressobj(wbits=47)
        self._out: list[bytes] = []
        self._in = 0
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Decode more. Raises `BodyTooLarge` above the cap or the ratio, `TransportError` for what is not gzip."""
        self._in += len(data)
        while data:
            if self._engine.eof:
                if not data.strip(b"\0"):
                    return
                self._engine = zlib.decompressobj(wbits=47)
            try:
                piece = self._engine.decompress(data, min(self._cap - self._size + 1, PIECE_BYTES))
            except zlib.error as error:
                raise TransportError("the reply's gzip encoding is broken", sent=True) from error
            self._size += len(piece)
            self._out.append(piece)
            if self._size > self._cap:
                self._out.clear()  # the error's traceback keeps this inflater for a while
                raise BodyTooLarge(f"the decoded reply is larger than {self._cap} bytes")
            if self._size > RATIO_FREE_BYTES and self._size > self._in * MAX_GZIP_RATIO:
                self._out.clear()
                raise BodyTooLarge(f"the reply inflates more than {MAX_GZIP_RATIO} times")
            data = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail

    def finish(self) -> bytes:
        """The whole body. Raises `TransportError` when the stream ended early."""
        if self._in and not self._engine.eof:
            raise TransportError("the reply ends early: its gzip stream is not complete", sent=True)
        return b"".join(self._out)


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 at least, certificates and names always verified; `SSL_CERT_FILE` and `SSL_CERT_DIR` are respected."""
    context: ssl.SSLContext = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def reason(error: BaseException) -> str:
    """The system's own words where there are some; never a URL."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLError):
        return getattr(inner, "verify_message", None) or inner.reason or "TLS failed"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return type(inner).__name__
