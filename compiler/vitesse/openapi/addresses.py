"""Whether a URL in a description is one to send requests or credentials to. Looks at the text; nothing is resolved here."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\"<>\\^`|\u0085\u2028\u2029]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?!\d+(?:/|\Z))")
_SCHEME_VARIABLE = re.compile(r"\A\{[^{}/]*\}:(?=//)")
_PORT_VARIABLE = re.compile(r":\{[^{}/]*\}")
_VARIABLE = re.compile(r"\{[^{}/]*\}")
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}\.?", re.IGNORECASE)


def fault_of(url: str) -> str | None:
    """What is wrong with a server or token URL, as the end of a sentence; None when nothing is.

    Args:
        url: May be relative and may hold `{variables}`.
    """
    plain = _SCHEME_VARIABLE.sub("https:", url)
    plain = _VARIABLE.sub("x", _PORT_VARIABLE.sub(":1", plain))
    if _FORBIDDEN.search(plain):
        return "holds a character that no URL has"
    if "#" in plain:
        return "holds a `#`, and what follows one is never sent"
    scheme = _SCHEME.match(plain)
    if scheme is None or plain.startswith("/"):
        return None
    if scheme[1].lower() not in ("http", "https"):
        return f"has the scheme `{scheme[1][:20]}`, where only http and https are used"
    try:
        parts = urlsplit(plain)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if "@" in parts.netloc:
        return "hides its host behind a user name"
    if not host:
        return "names no host"
    return _fault_of_host(host)


def _fault_of_host(host: str) -> str | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "writes an address as a number" if _NUMBERS.fullmatch(host) else None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return "names an address that only the network of this machine answers"
    return None


def is_plain_http(url: str) -> bool:
    """Whether what is sent there travels without TLS to another machine."""
    return url.lower().startswith("http://") and not re.match(r"http://(?:localhost|127\.|\[::1\])", url, re.IGNORECASE)
