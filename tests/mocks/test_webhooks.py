"""Deliveries are signed as their scheme says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from mocks.form import SchemeForm, WebhookForm, read_mock
from mocks.store import Store
from mocks.webhooks import delivery, sign

from .forms import shop


def _signed(secret: str = "s3cret", **scheme: Any) -> tuple[dict[str, str], bytes]:
    webhook = WebhookForm(topics=("t",), scheme=SchemeForm(header="X-Sign", **scheme), secret=secret, collection="c")
    return sign(webhook, b'{"a":1}', url="https://x.example/hook", secret=secret, now_s=1700000000.9, delivery_id="d1")


def test_plain_scheme_is_an_hmac_of_the_body() -> None:
    headers, raw = _signed()

    assert headers["X-Sign"] == hmac.new(b"s3cret", raw, hashlib.sha256).hexdigest()


def test_content_template_prefix_and_headers_are_filled() -> None:
    headers, raw = _signed(
        content="v0:{ts}:{id}:{method}:{url}:{body}", prefix="v0=", id_header="X-Id", timestamp_header="X-Time"
    )
    content = b"v0:1700000000:d1:POST:https://x.example/hook:" + raw

    assert headers["X-Sign"] == "v0=" + hmac.new(b"s3cret", content, hashlib.sha256).hexdigest()
    assert (headers["X-Id"], headers["X-Time"]) == ("d1", "1700000000")


@pytest.mark.parametrize("encoding", ["base64", "whsec_base64"])
def test_secret_is_decoded_as_the_scheme_says(encoding: str) -> None:
    secret = ("whsec_" if encoding == "whsec_base64" else "") + base64.b64encode(b"key").decode()
    headers, raw = _signed(secret=secret, secret_encoding=encoding, encoding="base64", algorithm="sha512")

    assert base64.b64decode(headers["X-Sign"]) == hmac.new(b"key", raw, hashlib.sha512).digest()


def test_forged_delivery_carries_another_signature() -> None:
    form = read_mock(shop())
    store = Store(form, count=2)
    id = store.collections["customers"].ids()[1]
    options: dict[str, Any] = {"topic": "customers/update", "id": id, "url": "", "delivery_id": "d"}
    headers, raw = delivery(form, store, **options)
    forged, same = delivery(form, store, **options, forged=True)

    assert raw == same
    assert headers["X-Hmac"] != forged["X-Hmac"]
    assert json.loads(raw)["id"] == int(id)
