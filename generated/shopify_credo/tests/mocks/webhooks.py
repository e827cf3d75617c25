"""Signed deliveries, made as the vendor would make them from the declared scheme."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from uuid import uuid4

from .form import Json, MockForm, SchemeForm, WebhookForm
from .places import put
from .store import Store, dumps


def delivery(
    form: MockForm,
    store: Store,
    *,
    topic: str,
    id: str,
    url: str,
    secret: str | None = None,
    forged: bool = False,
    now_s: float | None = None,
    delivery_id: str | None = None,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a delivery about one record.

    Args:
        url: Where it is sent: some schemes sign it.
        secret: Another one than the declared.
        forged: Sign with a secret the receiver does not have.
    """
    webhook = next(webhook for webhook in form.webhooks if topic in webhook.topics)
    stored = store.collections[webhook.collection].get(id)
    if stored is None:
        raise KeyError(f"there is no `{id}` among the {webhook.collection}")
    body: Json = put({}, webhook.record, stored.record)
    return sign(
        webhook,
        dumps(body).encode(),
        url=url,
        secret="forged" if forged else (secret or webhook.secret),
        now_s=time.time() if now_s is None else now_s,
        delivery_id=delivery_id or uuid4().hex,
    )


def sign(
    webhook: WebhookForm, raw: bytes, *, url: str, secret: str, now_s: float, delivery_id: str
) -> tuple[dict[str, str], bytes]:
    """The headers that a scheme asks for, over these bytes."""
    scheme = webhook.scheme
    stamp = str(int(now_s))
    values = {"body": raw, "id": delivery_id.encode(), "ts": stamp.encode(), "method": b"POST", "url": url.encode()}
    content = _filled(scheme.content, values)
    digest = hmac.new(_key(scheme, secret), content, getattr(hashlib, scheme.algorithm)).digest()
    signature = digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode()
    headers = {"Content-Type": "application/json", scheme.header: f"{scheme.prefix}{signature}"}
    if scheme.id_header:
        headers[scheme.id_header] = delivery_id
    if scheme.timestamp_header:
        headers[scheme.timestamp_header] = stamp
    return headers, raw


def _filled(template: str, values: dict[str, bytes]) -> bytes:
    content, rest = b"", template
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, _, rest = rest.partition("}")
        content += before.encode() + values[name]
    return content + rest.encode()


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
