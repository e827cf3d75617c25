"""How a model is asked: which one, where, within which limits. Made by the command line; holds the key, never shows it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...diagnostics import Diagnostic, DiagnosticError, Place

DEFAULT_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a million tokens cost, in any one currency."""

    input: float
    output: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.input + tokens_out * self.output) / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """One run's dealings with a model."""

    model: str | None = None
    """Asked to rank and explain; None: only `embeddings` are used."""
    embeddings: str | None = None
    """Model for embeddings; None: none are used."""
    base_url: str = DEFAULT_URL
    key: str = field(default="", repr=False)
    """Empty for servers that ask for none."""
    allow_http: bool = False
    timeout_s: float = 60.0
    """For one request, until its last byte."""
    attempts: int = 3
    """Requests for one question that fails: the first and its repetitions."""
    longest_wait_s: float = 30.0
    """A server that asks to wait longer is not waited for."""
    max_tokens: int = 200_000
    """Sent and answered, over the whole run."""
    max_cost: float | None = None
    price: Price | None = None
    replay: bool = False
    """Use recorded answers only; never reach the network."""
    say: Callable[[str], None] | None = None
    """Told what goes on."""

    def told(self, text: str) -> None:
        if self.say is not None:
            self.say(text)

    def without_key(self, text: str) -> str:
        """A text of the server or of an error, fit to be shown or written down."""
        return text.replace(self.key, "***") if self.key else text

    @property
    def host(self) -> str:
        """Where requests go, without anything secret: `api.openai.com`. Of an address that `check_address` let through."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def check_address(settings: ModelSettings) -> None:
    """Refuse an address that would give away the key or is none.

    Raises:
        DiagnosticError: V461.
    """
    try:
        parts = urlsplit(settings.base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise _cannot(
            "the model's address is no http or https URL", "give the base URL, such as `http://localhost:11434/v1`"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise _cannot(
            "the model's address holds more than scheme, host and path",
            "take user, password and query out of it; the key comes from the environment",
        )
    if parts.scheme == "http" and not _is_here(host) and not settings.allow_http:
        raise _cannot(
            f"the model at `{settings.host}` would be asked without encryption",
            "use https, or say `--allow-http` where the network is yours",
        )


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cannot(message: str, help: str) -> DiagnosticError:
    return DiagnosticError(
        [Diagnostic(code="V461", message=message, places=(Place(file="integration.yaml"),), help=help)]
    )
