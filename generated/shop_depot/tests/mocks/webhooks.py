"""Signed deliveries, made as the vendor would make them from the declared scheme."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import uuid4

from .form import Json, MockForm, SchemeForm, WebhookForm
from .places import put
from .store import Store, dumps

_FORGED = {"text": "forged", "base64": "Zm9yZ2Vk", "whsec_base64": "whsec_Zm9yZ2Vk"}
"""A secret that the receiver does not have, as each scheme spells one."""


def delivery(
    form: MockForm,
    store: Store,
    *,
    topic: str,
    id: str | Sequence[str],
    url: str,
    secret: str | None = None,
    forged: bool = False,
    now_s: float | None = None,
    delivery_id: str | None = None,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a delivery about one record, or with an event about each of several.

    Args:
        topic: One that tells of a deletion names the record and no more, whether it is there or not.
        id: Several only where a body holds several events.
        url: Where it is sent, but for what `sent_to` appends: some schemes sign it.
        secret: Another one than the declared.
        forged: Sign with a secret the receiver does not have.
    """
    webhook = webhook_of(form, topic)
    ids = [id] if isinstance(id, str) else id
    return sign(
        webhook,
        *(event(webhook, store, topic=topic, id=each) for each in ids),
        url=url,
        secret=_FORGED[webhook.scheme.secret_encoding] if forged else (secret or webhook.secret),
        now_s=time.time() if now_s is None else now_s,
        delivery_id=delivery_id or uuid4().hex,
    )


def webhook_of(form: MockForm, topic: str) -> WebhookForm:
    """The webhook that delivers a topic."""
    return next(webhook for webhook in form.webhooks if topic in (*webhook.topics, *webhook.deleted_topics))


def event(webhook: WebhookForm, store: Store, *, topic: str, id: str) -> Json:
    """What is delivered about one record: the record, or its name alone."""
    collection = store.collections[webhook.collection]
    stored = collection.get(id)
    if stored is None and topic not in webhook.deleted_topics:
        raise KeyError(f"there is no `{id}` among the {webhook.collection}")
    schema = store.synthesis.schema_at(collection.form.record, collection.form.identity)
    name = int(id) if schema.get("type") == "integer" else id
    if webhook.record_id is not None:
        body = put({}, webhook.record_id, name)
    elif stored is None or topic in webhook.deleted_topics:
        body = put({}, webhook.record, put({}, collection.form.identity, name))
    else:
        body = put({}, webhook.record, deepcopy(stored.record))
    return put(body, webhook.topic_path, topic) if webhook.topic_path is not None else body


def sign(
    webhook: WebhookForm, *events: Json, url: str, secret: str, now_s: float, delivery_id: str
) -> tuple[dict[str, str], bytes]:
    """The headers that a scheme asks for, and the bytes they vouch for: of one event, or of several where they come together."""
    scheme = webhook.scheme
    stamp = _stamp(scheme, now_s)
    bodies = list(deepcopy(events))
    if scheme.id_path is not None:
        names = [delivery_id, *(f"{delivery_id}-{number}" for number in range(1, len(bodies)))]
        bodies = [put(body, scheme.id_path, name) for body, name in zip(bodies, names, strict=True)]
    elif scheme.id_header is None and webhook.record_id is not None:
        # As vendors' have a time: what only names a record is the same text after each of its changes.
        bodies = [put(body, ("mark",), delivery_id) for body in bodies]
    body = _together(webhook, bodies)
    if scheme.timestamp_path is not None:
        body = put(body, scheme.timestamp_path, stamp)
    is_form = _is_form(webhook, body)
    raw = (urlencode(body) if is_form else dumps(body)).encode()
    key = _key(scheme, secret)
    url = sent_to(scheme, url, raw)
    for character in scheme.url_unescaped:
        url = re.sub(f"%{ord(character):02X}", character.replace("\\", r"\\"), url, flags=re.IGNORECASE)
    values = {
        "body": raw,
        "id": delivery_id.encode(),
        "ts": stamp.encode(),
        "method": b"POST",
        "url": url.encode(),
        "form": "".join(f"{name}{body[name]}" for name in sorted(body)).encode() if is_form else b"",
        "secret": key,
    }
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    headers = {"Content-Type": kind, scheme.header: _signature(scheme, key, values, stamp)}
    if scheme.id_header:
        headers[scheme.id_header] = delivery_id
    if scheme.timestamp_header:
        headers[scheme.timestamp_header] = stamp
    return headers, raw


def _together(webhook: WebhookForm, events: list[Json]) -> Json:
    """The body of some events: the innermost list holds them, each list around it one item."""
    if webhook.events is None:
        [body] = events
        return body
    body = events
    for path in reversed(webhook.events):
        body = [put({}, path, body)]
    return body[0]


def _is_form(webhook: WebhookForm, body: Json) -> bool:
    """Whether a body is sent as a form: a record has more than a form can say, its name has not."""
    if not webhook.scheme.forms or webhook.record_id is None or not isinstance(body, dict):
        return False
    return all(isinstance(value, str | int) for value in body.values())


def sent_to(scheme: SchemeForm, url: str, raw: bytes) -> str:
    """Where a body is sent: a scheme that signs form fields signs any other body by its digest in the URL."""
    if "{form}" not in scheme.content or not raw.startswith((b"{", b"[")):
        return url
    return f"{url}{'&' if '?' in url else '?'}bodySHA256={hashlib.sha256(raw).hexdigest()}"


def _signature(scheme: SchemeForm, key: bytes, values: dict[str, bytes], stamp: str) -> str:
    if scheme.construction == "token":
        return key.decode()
    content = _filled(scheme.content, values)
    if scheme.construction == "digest":
        digest = hashlib.new(scheme.algorithm, content).digest()
    else:
        digest = hmac.new(key, content, scheme.algorithm).digest()
    signature = scheme.prefix + (digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode())
    if scheme.timestamp_prefix is not None:
        return f"{scheme.timestamp_prefix}{stamp}{scheme.separator or ','}{signature}"
    return signature


def _stamp(scheme: SchemeForm, now_s: float) -> str:
    match scheme.timestamp_unit:
        case "s":
            return str(int(now_s))
        case "ms":
            return str(int(now_s * 1000))
        case "iso8601":
            return datetime.fromtimestamp(now_s, UTC).isoformat()


def _filled(template: str, values: dict[str, bytes]) -> bytes:
    pieces = re.split(r"\{(\w+)\}", template)
    return b"".join(values[piece] if number % 2 else piece.encode() for number, piece in enumerate(pieces))


def _key(scheme: SchemeForm, secret: str) -> bytes:
    match scheme.secret_encoding:
        case "text":
            return secret.encode()
        case "base64":
            return base64.b64decode(_padded(secret))
        case "whsec_base64":
            return base64.b64decode(_padded(secret.removeprefix("whsec_")))


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
