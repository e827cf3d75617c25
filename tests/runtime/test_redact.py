"""What the redactor hides, and what it leaves alone."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.redact import HIDDEN, Redactor, escape_controls, is_sensitive, redact_url

SECRET = "s3cr/t+va lue=ü"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_registered_secret_is_hidden_in_every_form_it_travels_in(form: str) -> None:
    """Plain, in URLs, in JSON, in reprs, in Base64."""
    text = Redactor([SECRET]).text(f"before {form} after")
    assert form not in text
    assert HIDDEN in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@given(
    st.text(min_size=4, max_size=40).filter(lambda text: len(text.strip()) >= 4),
    st.text(max_size=40),
    st.text(max_size=40),
)
def test_registered_secret_never_survives(secret: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    secret = secret.strip()
    assert secret not in Redactor([secret]).text(before + secret + after).replace(HIDDEN, "")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Authorization: Bearer abc.def-123\nNext: x", "abc.def-123"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("[(b'X-Shopify-Access-Token', b'shpat_1')]", "shpat_1"),
        ('{"api_key": "zzz9", "name": "ok"}', "zzz9"),
        ("password=hunter2 user=bob", "hunter2"),
        ("client_secret: 'a\\'b9'", "b9"),
        ("GET https://h.example/p?key=abc9&page=2", "abc9"),
        ("https://user:pw9@h.example/", "pw9"),
        ("postgresql+psycopg://user:pw9@db:5432/x", "pw9"),
        ("Cookie: session=abc9; other=def9", "def9"),
        ("used token eyJhbGciOi.J9xyz.abc", "J9xyz"),
    ],
)
def test_unregistered_secret_is_hidden_by_its_name_or_place(text: str, gone: str) -> None:
    """What nobody registered, as libraries print it."""
    assert gone not in Redactor().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "token bucket is empty",
        "basic authentication failed",
        "the token expired",
        "monkey: banana; keyboard=1; tokens_used=5",
        "page_token=abc123",
        "written 250 of 1247 in 1.2 s",
        "sqlite:///state.db",
        "GET https://h.example/v1/customers.json",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """A log that hides everything says nothing."""
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("apiKey", True), ("X-Api-Key", True), ("access_token", True), ("clientSecret", True), ("Authorization", True),
     ("set-cookie", True), ("passwd", True), ("PIN", True), ("sessionId", True), ("privateKey", True),
     ("page_token", False), ("nextPageToken", False), ("author", False), ("monkey", False), ("primaryKey", False),
     ("spinner", False), ("idempotency_key", False), ("tokens_used", False), ("token_url", False), ("key", False)],
)  # fmt: skip
def test_sensitive_names(name: str, expected: bool) -> None:
    """In every spelling; not everything that sounds alike."""
    assert is_sensitive(name) is expected


def test_structure_is_redacted_by_name_at_any_depth_and_cut_when_too_deep() -> None:
    """Extra fields of log records and stored payloads."""
    value: object = {
        "a": [{"headers": [("Authorization", "x1"), ("Accept", "json")]}],
        "password": "x2",
        "n": 3,
        "t": b"x5",
    }
    shown = json.dumps(Redactor(["x5x5"]).value(value))
    assert "x1" not in shown
    assert "x2" not in shown
    assert json.loads(shown)["n"] == 3
    deep: object = "x"
    for _ in range(50):
        deep = [deep]
    assert "…" in json.dumps(Redactor().value(deep), ensure_ascii=False)


def test_excerpt_is_one_line_capped_and_its_cut_does_not_free_a_secret() -> None:
    """A secret that the cut would fall into is hidden as a whole."""
    redactor = Redactor(["abcdefghijklmnop"])
    text = redactor.excerpt(b"x" * 490 + b" abcdefghijklmnop tail")
    assert "abcdef" not in text
    assert len(text) <= 500
    assert redactor.excerpt(b"\x1b[31m\x00\r\n\xe2\x80\xae\xff") == "\\x1b[31m\\x00\\r\\n\\u202e\\xff"


def test_escape_leaves_no_control_or_bidi_character() -> None:
    """A log line cannot forge another one or recolour a terminal."""
    nasty = "".join(map(chr, [*range(32), *range(127, 160), 0x200B, 0x2028, 0x202E, 0x2066, 0xFEFF]))
    assert all(char.isprintable() for char in escape_controls(nasty))


def test_url_keeps_what_helps_and_nothing_else() -> None:
    """Host, path and the names of the query."""
    assert redact_url("https://u:p@h.example/a/b?x=1&y#z") == f"https://{HIDDEN}@h.example/a/b?x={HIDDEN}&y"
    assert redact_url("/a?cursor=abc") == f"/a?cursor={HIDDEN}"
