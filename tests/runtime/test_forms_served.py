"""Forms that were proved are read as objects of texts, where the scheme lets forms in; everything after goes the same way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.declare import SignatureScheme
from runtime.webhooks import MAX_FIELDS, Delivery, Refused, Verifier, parse_form
from tests.runtime.test_events_served import HUBSPOT, PUBLIC_URL, SECRET, scheme_of, serving
from tests.runtime.test_server import Served

FORM = "application/x-www-form-urlencoded"
TWILIO = replace(
    HUBSPOT, topics=("delivered", "sent"), deleted_topics=(), scheme=scheme_of("twilio"), topic_path=("MessageStatus",),
    events=None, record_id=("MessageSid",),
)  # fmt: skip
BODIES = replace(TWILIO, scheme=SignatureScheme(header="X-Sign", forms=True))
"""A sender that signs the bytes of its forms."""


async def deliver(
    served: Served, body: bytes, *, kind: str | None = FORM, secret: str = SECRET, fields: Iterable[Any] | None = None
) -> httpx.Response:
    """Signed as Twilio signs forms, by their fields, and as others do, by their bytes."""
    if fields is None:
        fields = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
    text = f"{PUBLIC_URL}/webhooks/delivered" + "".join(name + value for name, value in sorted(set(fields)))
    headers = {
        "X-Twilio-Signature": base64.b64encode(hmac.new(secret.encode(), text.encode(), "sha1").digest()).decode(),
        "X-Sign": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        **({"Content-Type": kind} if kind is not None else {}),
    }
    return await served.http.post("/webhooks/delivered", content=body, headers=headers)


def form(**fields: Any) -> bytes:
    return urlencode(fields).encode()


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=UTF-8", "APPLICATION/X-WWW-FORM-URLENCODED", None])
async def test_form_of_twilio_is_carried_out_once(tmp_path: Path, kind: str | None) -> None:
    async with serving(tmp_path, [TWILIO]) as served:
        body = form(MessageSid="3", MessageStatus="delivered", To="+1 555", Body="Zoë & co")
        for _ in range(2):
            answer = await deliver(served, body, kind=kind, fields=parse_qsl(body.decode()))
            assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
            assert await served.settled() == {"done": 1}
        assert served.credo.created() == ["Person3@Example.com"]


async def test_form_names_its_topic_as_an_object_does(tmp_path: Path) -> None:
    async with serving(tmp_path, [TWILIO]) as served:
        assert (await deliver(served, form(MessageSid="3", MessageStatus="sent"))).json() == {"status": "stored"}
        assert (await deliver(served, form(MessageSid="4", MessageStatus="read"))).json() == {"status": "ignored"}
        assert (await deliver(served, form(MessageStatus="sent"))).json() == {"status": "stored"}
        assert await served.settled() == {"done": 1, "ignored": 1, "dead": 1}


async def test_form_that_was_changed_is_401_before_it_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path, [TWILIO]) as served:
        right = form(MessageSid="3", MessageStatus="sent")
        for body in (form(MessageSid="4", MessageStatus="sent"), right + b"&a=b", b"", b"{}"):
            assert (await deliver(served, body, fields=parse_qsl(right.decode()))).status_code == 401
        assert (await deliver(served, right, secret="forged")).status_code == 401
        assert await served.settled() == {}


@pytest.mark.parametrize(
    "body",
    [
        b"MessageSid=3&MessageSid=4&MessageStatus=sent",
        b"MessageSid=3&MessageSid=3&MessageStatus=sent",
        b"MessageSid=3&MessageStatus=%ff",
        b"MessageSid=3&MessageStatus=\xff",
        b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS + 1)),
    ],
)
async def test_form_with_two_meanings_is_400_and_dead(
    tmp_path: Path, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A name twice, bytes that are no text, too many fields: proved, and never worked on."""
    caplog.set_level(logging.DEBUG, "runtime")
    async with serving(tmp_path, [BODIES]) as served:
        assert (await deliver(served, body)).status_code == 400
        assert await served.settled() == {"dead": 1}
    assert "MessageSid" not in caplog.text


async def test_body_is_read_as_what_it_says_it_is(tmp_path: Path) -> None:
    """Where the bytes are signed and the type is not: a form read as JSON is none, JSON read as a form names no record."""
    async with serving(tmp_path, [BODIES]) as served:
        own, text = form(MessageSid="3", MessageStatus="sent"), b'{"MessageSid": "3", "MessageStatus": "sent"}'
        for body, kind, status in (
            (own, "application/json", 400), (own, None, 400), (own, "multipart/form-data; boundary=x", 400),
            (text, FORM, 200), (text, "application/json", 200), (text + b" ", None, 200), (own + b"&x=", FORM, 200),
        ):  # fmt: skip
            assert (await deliver(served, body, kind=kind)).status_code == status, (body, kind)
        counts = await served.settled()
        # One name for one text: the form that said it was JSON came first, and its repetitions are no others.
        assert counts == {"dead": 1, "ignored": 1, "done": 2}


async def test_form_is_400_where_the_scheme_takes_none(tmp_path: Path) -> None:
    strict = replace(BODIES, scheme=SignatureScheme(header="X-Sign"))
    async with serving(tmp_path, [strict]) as served:
        assert (await deliver(served, form(MessageSid="3", MessageStatus="sent"))).status_code == 400
        assert await served.settled() == {"dead": 1}


async def test_two_content_types_are_400(tmp_path: Path) -> None:
    """Which one would count?"""
    async with serving(tmp_path, [BODIES]) as served:
        body = form(MessageSid="3", MessageStatus="sent")
        sign = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = [("X-Sign", sign), ("Content-Type", FORM), ("Content-Type", "application/json")]
        answer = await served.http.post("/webhooks/delivered", content=body, headers=headers)
        assert answer.status_code == 400
        assert await served.settled() == {"dead": 1}


def test_json_of_twilio_is_read_as_json() -> None:
    """Its digest is in the signed URL."""
    body = json.dumps({"MessageSid": 3}).encode()
    url = f"https://x.example/?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = base64.b64encode(hmac.new(b"s", url.encode(), "sha1").digest()).decode()
    headers = {"x-twilio-signature": [signature], "content-type": ["application/json"]}
    delivery = Delivery(body=body, headers=headers, url=url)
    verifier = Verifier(scheme_of("twilio"), ["s"])
    verifier.verify(delivery, 0)
    assert verifier.read(delivery) == (body, {"MessageSid": 3})
    with pytest.raises(Refused):
        verifier.verify(replace(delivery, headers={**headers, "content-type": [FORM]}), 0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=8))
def test_fields_come_back_as_they_were_sent(fields: dict[str, str]) -> None:
    """Whatever they hold, and as JSON too."""
    body = urlencode(fields).encode()
    assert parse_form(body) == fields
    verifier = Verifier(SignatureScheme(header="X", forms=True), ["s"])
    stored, value = verifier.read(Delivery(body=body, headers={"content-type": [FORM]}))
    assert json.loads(stored) == value == fields
