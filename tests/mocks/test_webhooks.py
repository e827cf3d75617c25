"""Deliveries are signed as their scheme says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import fields
from typing import Any

import pytest

from mocks.form import SchemeForm, WebhookForm, read_mock
from mocks.store import Store
from mocks.webhooks import delivery, sent_to, sign
from runtime.declare import SignatureScheme
from runtime.webhooks import Delivery, Refused, Verifier
from vitesse.hooks import SignaturePreset
from vitesse.registry.schemes import PRESETS

from .forms import shop


def _signed(secret: str = "s3cret", **scheme: Any) -> tuple[dict[str, str], bytes]:
    webhook = WebhookForm(topics=("t",), scheme=SchemeForm(header="X-Sign", **scheme), secret=secret, collection="c")
    return sign(webhook, {"a": 1}, url="https://x.example/hook", secret=secret, now_s=1700000000.9, delivery_id="d1")


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


def test_body_that_is_no_form_is_sent_with_its_digest_where_form_fields_are_signed() -> None:
    """The receiver takes it, and no other body at that address."""
    form = {"header": "X-Sign", "content": "{url}{form}"}
    headers, raw = _signed(content="{url}{form}")
    url = sent_to(SchemeForm(**form), "https://x.example/hook", raw)
    assert url == f"https://x.example/hook?bodySHA256={hashlib.sha256(raw).hexdigest()}"
    assert sent_to(SchemeForm(header="X-Sign"), "https://x.example/hook", raw) == "https://x.example/hook"
    given = {name.lower(): [value] for name, value in headers.items()}
    verifier = Verifier(SignatureScheme(**form), ["s3cret"])
    verifier.verify(Delivery(body=raw, headers=given, url=url), 0)
    with pytest.raises(Refused):
        verifier.verify(Delivery(body=raw + b" ", headers=given, url=url), 0)


def test_stamp_may_be_part_of_the_signature_header() -> None:
    headers, raw = _signed(content="{ts}.{body}", timestamp_prefix="t=", prefix="v1=", separator=",")

    assert (
        headers["X-Sign"] == "t=1700000000,v1=" + hmac.new(b"s3cret", b"1700000000." + raw, hashlib.sha256).hexdigest()
    )


def test_token_and_digest_schemes_use_the_secret_itself() -> None:
    assert _signed(construction="token")[0]["X-Sign"] == "s3cret"
    headers, raw = _signed(construction="digest", content="{secret}{method}{body}", timestamp_unit="ms")
    assert headers["X-Sign"] == hashlib.sha256(b"s3cretPOST" + raw).hexdigest()


def test_id_and_time_may_stand_in_the_signed_body() -> None:
    _, raw = _signed(id_path=("event", "id"), timestamp_path=("at",), timestamp_unit="iso8601")

    assert json.loads(raw) == {"a": 1, "event": {"id": "d1"}, "at": "2023-11-14T22:13:20.900000+00:00"}


def test_events_come_together_each_with_its_own_name_and_topic() -> None:
    """The lists around them have one item each."""
    hooks = [
        {**shop()["webhooks"][0], "record_id": ["object", "id"], "topic_path": ["type"], "events": [["entry"], []]}
    ]
    hooks[0]["scheme"] = {"header": "X-Hmac", "id_path": ["name"]}
    form = read_mock({**shop(), "webhooks": hooks})
    store = Store(form, count=3)
    ids = list(store.collections["customers"].ids())[:2]
    headers, raw = delivery(form, store, topic="customers/update", id=ids, url="", delivery_id="d")

    assert json.loads(raw) == {
        "entry": [
            [
                {"object": {"id": int(ids[0])}, "type": "customers/update", "name": "d"},
                {"object": {"id": int(ids[1])}, "type": "customers/update", "name": "d-1"},
            ]
        ]
    }
    assert headers["X-Hmac"] == hmac.new(b"mock-secret", raw, hashlib.sha256).hexdigest()
    with pytest.raises(KeyError):
        delivery(form, store, topic="customers/update", id=[*ids, "none"], url="")


def test_event_that_only_names_its_record_is_another_each_time() -> None:
    """A vendor's has a time; without, the second change would be taken for a repetition of the first."""
    hook = {**shop()["webhooks"][0], "scheme": {"header": "X-Hmac"}, "record_id": ["id"], "events": [[]]}
    form = read_mock({**shop(), "webhooks": [hook]})
    store = Store(form, count=1)
    [id] = store.collections["customers"].ids()
    bodies = [delivery(form, store, topic="customers/update", id=id, url="")[1] for _ in range(2)]
    assert bodies[0] != bodies[1]
    assert {json.loads(body)[0]["id"] for body in bodies} == {int(id)}


def test_name_of_a_record_is_sent_as_a_form_where_the_scheme_takes_forms() -> None:
    """Signed by its fields; a record is more than a form can say and goes as JSON."""
    scheme = {"header": "X-Hmac", "content": "{url}{form}", "forms": True, "id_header": "X-Delivery"}
    hook = {**shop()["webhooks"][0], "scheme": scheme, "record_id": ["Sid"], "topic_path": ["Kind of"]}
    form = read_mock({**shop(), "webhooks": [hook]})
    store = Store(form, count=1)
    [id] = store.collections["customers"].ids()
    headers, raw = delivery(form, store, topic="customers/update", id=id, url="https://x.example/")

    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert raw.decode() == f"Sid={id}&Kind+of=customers%2Fupdate"
    assert sent_to(form.webhooks[0].scheme, "https://x.example/", raw) == "https://x.example/"
    given = {name.lower(): [value] for name, value in headers.items()}
    verifier = Verifier(SignatureScheme(**scheme), ["mock-secret"])
    proved = Delivery(body=raw, headers=given, url="https://x.example/")
    verifier.verify(proved, 0)
    assert verifier.read(proved)[1] == {"Sid": id, "Kind of": "customers/update"}
    whole = read_mock({**shop(), "webhooks": [{**hook, "record_id": None}]})
    headers, raw = delivery(whole, store, topic="customers/update", id=id, url="https://x.example/")
    assert headers["Content-Type"] == "application/json"


def test_url_is_signed_with_the_escapes_that_the_scheme_decodes() -> None:
    webhook = WebhookForm(
        topics=("t",),
        scheme=SchemeForm(header="X-Sign", content="{url}", url_unescaped=":"),
        secret="s",
        collection="c",
    )
    headers, _ = sign(webhook, {}, url="https://x.example/a%3Ab%20c", secret="s", now_s=0, delivery_id="d")

    assert headers["X-Sign"] == hmac.new(b"s", b"https://x.example/a:b%20c", hashlib.sha256).hexdigest()


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


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_delivery_of_each_known_scheme_is_proved_by_the_package(preset: SignaturePreset) -> None:
    """Mocks and packages are two readings of one declaration; forms (Twilio) come with their digest in the URL."""
    members = {field.name: getattr(preset, field.name) for field in fields(SignatureScheme)}
    secret = "whsec_c2VjcmV0" if preset.secret_encoding == "whsec_base64" else "s3cret"
    webhook = WebhookForm(topics=("t",), scheme=SchemeForm(**members), secret=secret, collection="c")
    now, body = 1700000000.0, {"a": "Zoë", "z": [1]}
    url = "https://x.example/hook?tenant=a%20b%2Fc"
    headers, raw = sign(webhook, body, url=url, secret=secret, now_s=now, delivery_id="d1")
    url = sent_to(webhook.scheme, url, raw)
    given = Delivery(body=raw, headers={name.lower(): [value] for name, value in headers.items()}, url=url)
    verifier = Verifier(SignatureScheme(**members), [secret])
    verifier.verify(given, now)
    is_named = preset.id_header is not None or preset.id_path is not None
    assert (verifier.delivery_id(given, json.loads(raw)) == "d1") is is_named
    with pytest.raises(Refused):
        Verifier(SignatureScheme(**members), ["whsec_b3RoZXI=" if "whsec" in secret else "other"]).verify(given, now)
