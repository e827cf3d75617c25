"""Text that may hold a secret → text that does not.

Three nets, one after the other: the values of secrets that were registered (in each form in which they travel), the values
under names that mean a secret (`api_key`, `Authorization`), and the parts of URLs that carry them. What is shown to people
or stored for them (logs, errors, dead letters, reports) goes through here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

HIDDEN = "[redacted]"
SHORTEST_SECRET = 4
"""Shorter values are hidden by name only: replacing them anywhere would eat ordinary text."""

_SENSITIVE = re.compile(
    r"(?i)(?:^|[^a-z])(?:authorization|proxy.?authorization|cookie|set.?cookie|passw(?:or)?d|passphrase|pwd|secret|token"
    r"|api.?key|access.?key|private.?key|client.?secret|signature|credential|session.?id|bearer|jwt|otp|pin)s?(?:$|[^a-z])"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_SECRET = re.compile(
    r"(?:^|_)(?:page|next|cursor|continuation|sync)_token$|^idempotency_key$"
    r"|_(?:used|count|total|limit|left|remaining|type|url|expires(?:_(?:in|at))?|bucket)$"
)

_HEADER_LINE = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-[a-z0-9-]*(?:token|key|secret|signature)[a-z0-9-]*)"
    r"(['\"]?\s*[:=,]\s*(?:b?['\"])?)([^\r\n'\"]+)"
)
_SCHEME_VALUE = re.compile(r"(?i)\b(bearer|basic|token)(\s+)(?=\S*[0-9=._~+/-])([A-Za-z0-9._~+/=-]{8,})")
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)([^\s'\"<>]+)")
_PAIR = re.compile(
    r"(?i)([\"']?)\b([a-z0-9_.-]*(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[a-z0-9_-]*)"
    r"\1(\s*[:=]\s*)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&}\])'\"]+)"
)
_HARMLESS = frozenset({HIDDEN, HIDDEN[:-1], "", "null", "None", "true", "false", "True", "False"})
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def is_sensitive(name: str) -> bool:
    """Whether what stands under `name` is to be hidden: `apiKey`, `X-Shopify-Access-Token`, `client_secret`."""
    flat = _CAMEL.sub("_", name).lower().replace("-", "_")
    return _SENSITIVE.search(flat) is not None and _NOT_SECRET.search(flat) is None


def escape_controls(text: str) -> str:
    """Control, bidi and line-breaking characters as `\\x1b`, `\\u202e`; tabs and newlines as `\\t`, `\\n`."""
    text = text.replace("\t", "\\t").replace("\n", "\\n")
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def redact_url(url: str) -> str:
    """A URL without user, query values and fragment: `https://h/p?page=[redacted]`. The names of the query stay."""
    head, sep, rest = url.partition("://")
    if not sep:
        head, rest = "", url
    rest, _, _ = rest.partition("#")
    location, question, query = rest.partition("?")
    authority, slash, path = location.partition("/")
    if sep and "@" in authority:
        authority = f"{HIDDEN}@{authority.rpartition('@')[2]}"
    if question:
        pairs = (pair.partition("=") for pair in query.split("&"))
        query = "&".join(f"{name}={HIDDEN}" if eq else name for name, eq, _ in pairs)
    return f"{head}{sep}{authority}{slash}{path}{question}{query}"


def _forms(secret: str) -> set[str]:
    """A secret as it looks in text, URLs, JSON, reprs and Base64."""
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    forms.update((json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]))
    forms.add(base64.b64encode(secret.encode()).decode())
    forms.add(base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="))
    forms.update(line for line in secret.splitlines() if len(line.strip()) >= 16)
    return forms


class Redactor:
    """Hides the secrets it was told of, and what looks like one."""

    __slots__ = ("_forms", "_masked", "_values")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._forms: tuple[str, ...] = ()
        self._masked: re.Pattern[str] | None = None
        for secret in secrets:
            self.register(secret)

    def register(self, secret: str) -> None:
        """Hide `secret` from now on, also as it looks in URLs, JSON, reprs and Base64."""
        secret = secret.strip()
        if len(secret) < SHORTEST_SECRET or secret in self._values:
            return
        self._values.add(secret)
        self._forms = tuple(sorted({*self._forms, *_forms(secret)}, key=lambda form: (-len(form), form)))

    def forget(self, secret: str) -> None:
        """A secret that was replaced and is worth nothing any more: the list must not grow with every access token."""
        self._values.discard(secret.strip())
        forms = {form for each in self._values for form in _forms(each)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))

    def mask(self, names: Iterable[str]) -> None:
        """Hide in free text, from now on, what stands under these names: `"email": "…"`, `phone=030 1234`."""
        if found := sorted({re.escape(name) for name in names}, key=lambda name: (-len(name), name)):
            value = r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&}\])'\"]*[0-9@][^\s,;&}\])'\"]*"""
            self._masked = re.compile(rf"""(?i)(["']?)\b({"|".join(found)})\1(\s*[:=]\s*)({value})""")

    def secrets(self, text: str) -> str:
        """Replace registered secrets only; cheap enough for every line."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def text(self, text: str) -> str:
        """All three nets over free text, such as a log line, a traceback or a reply."""
        text = self.secrets(text)
        if "://" in text:
            text = _URL.sub(lambda found: redact_url(found[0]), text)
        text = _HEADER_LINE.sub(rf"\1\2{HIDDEN}", text)
        text = _SCHEME_VALUE.sub(rf"\1\2{HIDDEN}", text)
        if self._masked is not None:
            text = self._masked.sub(rf"\1\2\1\3{HIDDEN}", text)
        return _PAIR.sub(self._pair, text)

    @staticmethod
    def _pair(found: re.Match[str]) -> str:
        if not is_sensitive(found[2]) or found[4].strip("\"'") in _HARMLESS:
            return found[0]
        mark = found[4][0] if found[4][0] in "\"'" else ""
        return f"{found[1]}{found[2]}{found[1]}{found[3]}{mark}{HIDDEN}{mark}"

    def value(self, value: object, name: str = "", depth: int = 0) -> object:
        """Anything as JSON can have it, with secrets hidden by value and by name. What is too deep is cut."""
        if name and is_sensitive(name) and value not in (None, "", True, False):
            return HIDDEN
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth > 8:
            return "…"
        if isinstance(value, Mapping):
            return {self.secrets(str(key)): self.value(each, str(key), depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            items = [self.value(each, name, depth + 1) for each in value]
            if len(items) == 2 and isinstance(items[0], str) and is_sensitive(items[0]):
                items[1] = HIDDEN
            return items
        if isinstance(value, bytes | bytearray | memoryview):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        return self.text(str(value))

    def excerpt(self, body: bytes | str, limit: int = 500) -> str:
        """The beginning of a body on one line: redacted first, then escaped, then cut at `limit` characters."""
        # A secret must not survive because the cut fell inside it: redact with room to spare, then cut.
        text = body[: limit * 8].decode("utf-8", "backslashreplace") if isinstance(body, bytes) else body[: limit * 8]
        text = escape_controls(self.text(text))
        return text if len(text) <= limit else text[: limit - 1] + "…"
