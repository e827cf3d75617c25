"""Deliveries → proof that the sender is who it says, over the bytes as they came. Nothing is parsed before that.

One verifier for all vendors, driven by the declared scheme. The scheme names the algorithm, never the request. Comparisons
take the same time for every wrong answer and are made on bytes. What is refused is refused without detail.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from .declare import SignatureScheme, Webhook
from .errors import IntegrationError, SettingMissing, SettingsError
from .json_paths import at
from .settings import Settings

MAX_DELIVERY_BYTES = 5 * 1024 * 1024
MAX_CHALLENGE = 1000
MAX_FIELDS = 1000
"""Of a form."""
_PLACE = re.compile(r"\{(body|id|ts|method|url|form|secret)\}")
_FORM = "application/x-www-form-urlencoded"


class Refused(IntegrationError):
    """The delivery is not proved. What is wrong with it is for the log, not for the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request to a webhook, as it came. `headers` has each name in lower case, with all its values."""

    body: bytes
    headers: Mapping[str, Sequence[str]]
    method: str = "POST"
    url: str = ""
    """The public URL, from the configuration."""

    def header(self, name: str) -> str | None:
        """The one value of a header. Raises `Refused` when it came twice: which one would count?"""
        values = self.headers.get(name.lower(), ())
        if len(values) > 1:
            raise Refused(f"`{name}` came {len(values)} times")
        return values[0] if values else None


class Verifier:
    """Proves deliveries of one webhook."""

    def __init__(self, scheme: SignatureScheme, secrets: Iterable[str]) -> None:
        """Raises `SettingsError` without a secret: an empty one would prove everybody."""
        self._scheme = scheme
        words = [word for secret in secrets for word in secret.split()]
        if not words:
            raise SettingsError(("a webhook secret is empty: deliveries could not be told from forgeries",))
        self._keys = tuple(_key(scheme, word) for word in words)
        self.count = len(self._keys)
        """How many secrets count."""
        self._template = _PLACE.split(scheme.content)

    def verify(self, delivery: Delivery, now_s: float) -> None:
        """Raises `Refused` unless one of the secrets signed these very bytes, in time."""
        scheme = self._scheme
        value = delivery.header(scheme.header)
        if not value:
            raise Refused("there is no signature")
        parts = value.split(scheme.separator) if scheme.separator else [value]
        parts = [part.strip() for part in parts]
        stamp = self._stamp(delivery, parts)
        if scheme.construction == "token":
            given = [value.encode("utf-8", "surrogateescape")]
            wanted = list(self._keys)
        else:
            given = [found for part in parts if (found := self._decoded(part)) is not None]
            wanted = [self._signature(key, delivery, stamp) for key in self._keys]
        is_right = False
        for signature in given[:10]:
            for own in wanted:
                is_right |= hmac.compare_digest(signature, own)
        if not is_right:
            raise Refused("no signature is right")
        self._check_body_digest(delivery)
        self._check_time(delivery, stamp, now_s)

    def read(self, delivery: Delivery) -> tuple[bytes, Any]:
        """What a proved delivery says: as JSON, and decoded.

        Raises:
            ValueError: it is neither JSON nor a form that the scheme lets in, or it has a name twice.
        """
        try:
            is_form = self._scheme.forms and _is_form(delivery, default="{form}" in self._scheme.content)
        except Refused as refused:
            raise ValueError(str(refused)) from None
        if not is_form:
            return delivery.body, parse_delivery(delivery.body)
        fields = parse_form(delivery.body)
        return msgspec.json.encode(fields), fields

    def delivery_id(self, delivery: Delivery, body: Any) -> str:
        """What makes a delivery unique: the sender's own name for it, or else the digest of its content."""
        return self._header_name(delivery) or self._own_name(body) or hashlib.sha256(delivery.body).hexdigest()

    def event_ids(self, delivery: Delivery, events: Sequence[Any]) -> list[str]:
        """The same for the events of one body: its own name, or else the body's and the event's place in it.

        Two events that are alike are two: a sender that gives neither names nor times tells of two changes so.
        """
        whole = self._header_name(delivery) or hashlib.sha256(delivery.body).hexdigest()
        return [self._own_name(event) or f"{whole}#{place}" for place, event in enumerate(events)]

    def challenge(self, body: Any) -> dict[str, str] | None:
        """The answer to a handshake, when the delivery is one."""
        scheme = self._scheme
        text = at(body, scheme.challenge_path) if scheme.challenge_path is not None else None
        if not isinstance(text, str) or not text or len(text) > MAX_CHALLENGE:
            return None
        if scheme.challenge_reply == "echo":
            return {"challenge": text}
        digest = hmac.new(self._keys[0], text.encode(), hashlib.sha256).hexdigest()
        return {"plainToken": text, "encryptedToken": digest}

    # --- parts ---

    def _header_name(self, delivery: Delivery) -> str | None:
        name = self._scheme.id_header
        return (delivery.header(name) or "")[:200] or None if name is not None else None

    def _own_name(self, body: Any) -> str | None:
        inner = at(body, self._scheme.id_path) if self._scheme.id_path is not None else None
        if isinstance(inner, bool) or not isinstance(inner, str | int) or not str(inner).isprintable():
            return None
        return str(inner)[:200] or None

    def _signature(self, key: bytes, delivery: Delivery, stamp: str) -> bytes:
        content = self._content(key, delivery, stamp)
        if self._scheme.construction == "digest":
            return hashlib.new(self._scheme.algorithm, content).digest()
        return hmac.new(key, content, self._scheme.algorithm).digest()

    def _content(self, key: bytes, delivery: Delivery, stamp: str) -> bytes:
        pieces: list[bytes] = []
        for position, piece in enumerate(self._template):
            if position % 2 == 0:
                pieces.append(piece.encode())
                continue
            match piece:
                case "body":
                    pieces.append(delivery.body)
                case "id":
                    name = self._scheme.id_header
                    pieces.append((delivery.header(name) or "" if name else "").encode("utf-8", "replace"))
                case "ts":
                    pieces.append(stamp.encode("utf-8", "replace"))
                case "method":
                    pieces.append(delivery.method.upper().encode())
                case "url":
                    pieces.append(_unescaped(delivery.url, self._scheme.url_unescaped).encode())
                case "form":
                    pieces.append(_form(delivery))
                case "secret":
                    pieces.append(key)
        return b"".join(pieces)

    def _stamp(self, delivery: Delivery, parts: Sequence[str]) -> str:
        scheme = self._scheme
        if scheme.timestamp_header is not None:
            return delivery.header(scheme.timestamp_header) or ""
        if scheme.timestamp_prefix is not None:
            found = [part for part in parts if part.startswith(scheme.timestamp_prefix)]
            if len(found) != 1:
                raise Refused("there is no timestamp, or more than one")
            return found[0].removeprefix(scheme.timestamp_prefix)
        return ""

    def _decoded(self, part: str) -> bytes | None:
        scheme = self._scheme
        if not part.startswith(scheme.prefix):
            return None
        text = part.removeprefix(scheme.prefix)
        try:
            raw = text.encode("ascii")
            return binascii.unhexlify(raw) if scheme.encoding == "hex" else base64.b64decode(raw, validate=True)
        except (UnicodeEncodeError, ValueError):
            return None

    def _check_time(self, delivery: Delivery, stamp: str, now_s: float) -> None:
        scheme = self._scheme
        if scheme.tolerance_s is None:
            return
        if scheme.timestamp_path is not None:
            try:
                found = at(msgspec.json.decode(delivery.body), scheme.timestamp_path)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                found = None
            if found is None:
                return  # the body is signed: a sender that names no time is not replayed by changing it
            stamp = str(found)
        moment = _moment(stamp, scheme.timestamp_unit)
        if moment is None or abs(now_s - moment) > scheme.tolerance_s:
            raise Refused("the timestamp is no time, or too far from now")

    def _check_body_digest(self, delivery: Delivery) -> None:
        """A scheme that signs form fields signs other bodies by their digest in the URL."""
        if "{form}" not in self._scheme.content or _is_form(delivery):
            return
        digests = [value for name, value in parse_qsl(urlsplit(delivery.url).query) if name == "bodySHA256"]
        own = hashlib.sha256(delivery.body).hexdigest()
        if len(digests) != 1 or not hmac.compare_digest(digests[0].encode(), own.encode()):
            raise Refused("the body is not the one that was signed")


class Handshake:
    """Answers a GET by which a sender asks whether its deliveries are wanted at a URL: only one that knows the word."""

    def __init__(self, scheme: SignatureScheme, words: Iterable[str]) -> None:
        """Raises `SettingsError` without a word: an empty one would let everybody have text answered."""
        self._scheme = scheme
        self._words = tuple(part.encode() for word in words for part in word.split())
        if not self._words:
            raise SettingsError(("the word of a webhook's handshake is empty: anybody would know it",))

    def answer(self, query: str) -> str:
        """The text to answer a query string with. Raises `Refused`."""
        scheme = self._scheme
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100, errors="strict")
        except ValueError:
            raise Refused("its query cannot be read") from None
        word = _only(pairs, scheme.handshake_word).encode()
        is_right = False
        for own in self._words:
            is_right |= hmac.compare_digest(word, own)
        if not is_right:
            raise Refused("it does not know the word")
        if scheme.handshake_mode is not None:
            name, _, value = scheme.handshake_mode.partition("=")
            if _only(pairs, name) != value:
                raise Refused(f"it is not `{scheme.handshake_mode}`")
        challenge = _only(pairs, scheme.handshake_challenge)
        if not 0 < len(challenge) <= MAX_CHALLENGE or not challenge.isascii() or not challenge.isprintable():
            raise Refused("there is no challenge, or one that no sender makes")
        return challenge


def _only(pairs: Sequence[tuple[str, str]], name: str | None) -> str:
    found = [value for each, value in pairs if each == name]
    if len(found) != 1:
        raise Refused(f"`{name}` came {len(found)} times")
    return found[0]


def parse_delivery(body: bytes) -> Any:
    """The JSON of a delivery that was proved.

    Raises:
        ValueError: it is none, or an object has a name twice, of which readers would take different ones.
    """
    try:
        found = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("the body is nested too deep") from None
    except (msgspec.MsgspecError, UnicodeError):
        raise ValueError("the body is not JSON") from None
    return found


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form that was proved. Raises ValueError as `parse_delivery` does."""
    try:
        pairs = _fields(body)
    except ValueError:
        raise ValueError("the body is not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("the body has a name twice")
    return fields


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("the body has a name twice")


def verifier_of(webhook: Webhook, settings: Settings) -> Verifier:
    """The verifier of a declared webhook. Raises `SettingsError` when its secret is missing or empty."""
    found = [settings.text(webhook.secret)]
    for further in webhook.secrets:
        try:
            found.append(settings.text(further))
        except SettingMissing:
            continue  # only set while secrets are rotated
    return Verifier(webhook.scheme, found)


def handshake_of(webhook: Webhook, settings: Settings) -> Handshake | None:
    """What answers the GETs of a declared webhook. Raises `SettingsError` when its word is missing or empty."""
    if webhook.handshake_secret is None:
        return None
    return Handshake(webhook.scheme, [settings.text(webhook.handshake_secret)])


def _key(scheme: SignatureScheme, secret: str) -> bytes:
    match scheme.secret_encoding:
        case "text":
            return secret.encode()
        case "base64" | "whsec_base64":
            text = secret.removeprefix("whsec_") if scheme.secret_encoding == "whsec_base64" else secret
            try:
                key = base64.b64decode(text.encode("ascii"), validate=True)
            except (UnicodeEncodeError, ValueError):
                raise SettingsError(("a webhook secret is not Base64, and the scheme says that it is",)) from None
            if not key:
                raise SettingsError(("a webhook secret is empty: deliveries could not be told from forgeries",))
            return key


def _moment(stamp: str, unit: str) -> float | None:
    if unit == "iso8601":
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:
            return None
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 16:
        return None
    return int(stamp) / (1000 if unit == "ms" else 1)


def _unescaped(url: str, characters: str) -> str:
    for character in characters:
        escape = f"%{ord(character):02X}"
        url = url.replace(escape, character).replace(escape.lower(), character)
    return url


def _is_form(delivery: Delivery, *, default: bool = True) -> bool:
    kind = (delivery.header("content-type") or "").partition(";")[0].strip().lower()
    return kind == _FORM if kind else default


def _fields(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")


def _form(delivery: Delivery) -> bytes:
    if not _is_form(delivery):
        return b""
    try:
        pairs = _fields(delivery.body)
    except ValueError:
        raise Refused("the body is not a form") from None
    return "".join(name + value for name, value in sorted(set(pairs))).encode()
