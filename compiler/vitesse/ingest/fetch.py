"""URL → bytes, guarded: the one place of the compiler that reaches the network.

A description is data of a stranger, and so is the address it came with. Names are resolved once; the address that was checked is
the one that is connected to. Every redirect is a new address and is checked as such. Nothing is kept between requests: no cookies,
no proxies or passwords from the environment; what the caller sends for one origin never reaches another.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

import httpx

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..openapi import DEFAULT_LIMITS

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port → addresses, as text. Raises OSError when there are none."""

_NAT64 = IPv6Network("64:ff9b::/96")
_CLOUD = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")))
"""Metadata services outside 169.254.0.0/16, which no option opens."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be fetched, and how much of it."""

    allow_http: bool = False
    """Without it https only."""
    allow_private: bool = False
    """Without it no address of a private network, of this machine or of its link."""
    max_bytes: int = DEFAULT_LIMITS.document_bytes
    """Of the content, unpacked."""
    total_s: float = 30.0
    """For one fetch with all its redirects."""
    redirects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A reply, whatever its status."""

    url: str
    """Where it came from in the end."""
    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""
    address: str = ""
    """What was connected to."""
    same_origin: bool = True
    """False after a redirect to another origin, which was not sent the caller's headers."""


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system. Raises OSError when it knows no address."""
    import socket

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def fetch(
    url: str,
    policy: Policy | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    resolve: Resolve = resolve_host,
) -> Fetched:
    """GET a URL.

    Args:
        headers: For the URL's own origin; a redirect to another origin goes without them.
        resolve: Stands in for the system's resolver in tests.

    Raises:
        DiagnosticError: V304 for an address that may not be fetched from, V305 when nothing whole came back in time.
    """
    return asyncio.run(_within(url, policy or Policy(), dict(headers or {}), resolve))


async def _within(url: str, policy: Policy, headers: dict[str, str], resolve: Resolve) -> Fetched:
    try:
        async with asyncio.timeout(policy.total_s):
            return await _follow(url, policy, headers, resolve)
    except TimeoutError:
        raise _nothing(url, f"no whole reply came in {policy.total_s:g} seconds") from None


async def _follow(url: str, policy: Policy, headers: dict[str, str], resolve: Resolve) -> Fetched:
    here = _parse(url, url)
    first = _origin(here)
    allowed = policy
    for _ in range(policy.redirects + 1):
        address = await _address(here, allowed, resolve)
        if refusal(ip_address(address), allow_private=False) == "":
            allowed = replace(policy, allow_private=False)  # the public does not lead inside
        own = _origin(here) == first
        fetched = replace(await _get(here, address, policy, headers if own else {}), same_origin=own)
        target = fetched.headers.get("location")
        if fetched.status not in _REDIRECTS or target is None:
            return fetched
        try:
            here = _parse(str(here.join(target)), url)
        except (httpx.InvalidURL, ValueError):
            raise _refused(url, "a redirect leads to what is no URL") from None
    raise _nothing(url, f"there are more than {policy.redirects} redirects")


# --- addresses --------------------------------------------------------------------------------------------------------


def _parse(text: str, asked: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError):
        raise _refused(asked, "it is no URL") from None
    if url.scheme not in ("http", "https"):
        why = f"`{url.scheme}` is not fetched" if url.scheme else "it is no URL"
        raise _refused(asked, why, "use an https address, or a file")
    if not url.host or port == 0:
        raise _refused(asked, "it names no host")
    if url.userinfo:
        raise _refused(text, "a password stands in it", "leave it out; credentials are read from the environment")
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, _port(url)


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


async def _address(url: httpx.URL, policy: Policy, resolve: Resolve) -> str:
    """The address to connect to; all that the host has must be allowed."""
    if url.scheme != "https" and not (url.scheme == "http" and policy.allow_http):
        raise _refused(str(url), f"`{url.scheme}` is not fetched", "use https, or say `--allow-http`")
    try:
        texts = await asyncio.to_thread(resolve, url.host, _port(url))
        addresses = [ip_address(text.partition("%")[0]) for text in texts]
    except (OSError, ValueError, UnicodeError):
        raise _nothing(str(url), f"the host `{url.host}` has no address") from None
    if not addresses:
        raise _nothing(str(url), f"the host `{url.host}` has no address")
    for address in addresses:
        why = refusal(address, allow_private=policy.allow_private)
        if why:
            help = "name a public host" if policy.allow_private else "name a public host, or say `--allow-private`"
            raise _refused(str(url), f"`{url.host}` is at {address}, {why}", help)
    return str(addresses[0])


def refusal(address: IPv4Address | IPv6Address, *, allow_private: bool) -> str:
    """Why an address is not connected to; empty when it may be. An IPv4 address inside an IPv6 one counts as itself."""
    inner = _inside(address)
    if inner is not None:
        return refusal(inner, allow_private=allow_private)
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "no address of a host"
    if address.is_link_local:
        return "an address of the local link"
    if address in _CLOUD:
        return "where a cloud tells a machine its secrets"
    if allow_private:
        return "" if not address.is_reserved or address.is_loopback else "a reserved address"
    if address.is_loopback:
        return "this machine"
    return "" if address.is_global else "a private or reserved address"


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


# --- one request ------------------------------------------------------------------------------------------------------


async def _get(url: httpx.URL, address: str, policy: Policy, headers: Mapping[str, str]) -> Fetched:
    pinned = url.copy_with(host=address)
    sent = {
        "user-agent": "vitesse",
        "accept": "application/json, application/yaml, */*;q=0.5",
        "accept-encoding": "gzip",
        **{name.lower(): value for name, value in headers.items()},
        "host": url.netloc.decode("ascii"),
    }
    try:
        # The time for all of it is the caller's (`_within`): no second timer that could come first and say something else.
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=httpx.Timeout(None)) as client:
            request = httpx.Request("GET", pinned, headers=sent, extensions={"sni_hostname": url.raw_host.decode()})
            reply = await client.send(request, stream=True)
            try:
                content = b"" if reply.status_code in _REDIRECTS else await _content(reply, url, policy)
            finally:
                await reply.aclose()
    except httpx.HTTPError as error:
        raise _nothing(str(url), _network(error)) from None
    except (UnicodeError, ValueError):  # h11 takes no header that is no text of one line
        raise _nothing(str(url), "the request cannot be written") from None
    found = {name.lower(): value for name, value in reply.headers.items()}
    return Fetched(url=str(url), status=reply.status_code, content=content, headers=found, address=address)


async def _content(reply: httpx.Response, url: httpx.URL, policy: Policy) -> bytes:
    """The body, unpacked by hand: a packed one may be a thousand times as large as what came."""
    packing = reply.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip", "x-gzip"):
        raise _nothing(str(url), f"the reply is packed as `{packing[:40]}`")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in packing else None
    content = bytearray()
    try:
        async for chunk in reply.aiter_raw():
            left = policy.max_bytes - len(content) + 1
            content += chunk[:left] if unpack is None else unpack.decompress(chunk, left)
            if len(content) > policy.max_bytes or (unpack is not None and unpack.unconsumed_tail):
                raise _nothing(str(url), f"the reply is larger than {policy.max_bytes} bytes")
    except zlib.error:
        raise _nothing(str(url), "the reply is not packed as it says") from None
    if unpack is not None and not unpack.eof:
        raise _nothing(str(url), "the reply ends in the middle")
    return bytes(content)


def _network(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no whole reply came in time"
    if isinstance(error, httpx.ConnectError):
        failed = "certificate" if "CERTIFICATE" in str(error).upper() else "connection"
        return "the certificate cannot be trusted" if failed == "certificate" else "nothing can be connected to"
    return "the connection broke, or what came back is not HTTP"


# --- refusals ---------------------------------------------------------------------------------------------------------


def shown(url: str) -> str:
    """A URL without what may be secret in it: user, query, fragment."""
    head, sign, rest = url.partition("://")
    rest = rest.partition("?")[0].partition("#")[0]
    host, slash, path = rest.partition("/")
    return f"{head}{sign}{host.rpartition('@')[2]}{slash}{path}"[:200]


def _refused(url: str, why: str, help: str = "name a public host, or give a file") -> DiagnosticError:
    message = f"`{shown(url)}` is not fetched: {why}"
    return DiagnosticError([Diagnostic(code="V304", message=message, places=(Place(file=shown(url)),), help=help)])


def _nothing(url: str, why: str) -> DiagnosticError:
    help = "check the address with `vitesse probe`, or download the file yourself and give it with `--spec`"
    message = f"nothing usable came from `{shown(url)}`: {why}"
    return DiagnosticError([Diagnostic(code="V305", message=message, places=(Place(file=shown(url)),), help=help)])
