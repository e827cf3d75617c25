"""Handshakes by GET: the text of whoever knows the word comes back as text; nobody else gets anything back."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from runtime.clock import SystemClock
from runtime.declare import Env, SignatureScheme
from runtime.doctor import examine
from runtime.engine.opened import opened
from runtime.errors import SettingsError
from runtime.rotation import Secrets
from runtime.server import Service
from runtime.settings import resolve_settings
from runtime.webhooks import MAX_CHALLENGE, Handshake, Refused
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import INTEGRATION
from tests.runtime.test_events_served import META, deliver, scheme_of
from tests.runtime.test_server import TOKEN, Served

WORD = "word-planted"
SCHEME = scheme_of("meta")
WEBHOOK = replace(META, handshake_secret=Env("META_WORD", secret=True))
RIGHT = {"hub.mode": "subscribe", "hub.verify_token": WORD, "hub.challenge": "1158201444"}
WITH_WORD = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "hook-planted", "META_WORD": WORD}


@asynccontextmanager
async def serving(folder: Path, *webhooks: Any) -> AsyncIterator[Served]:
    environ = {**WITH_WORD, "DATABASE_URL": f"sqlite:///{folder / 's.db'}"}
    shopify, credo = Shopify(3), Credo()
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    integration = replace(INTEGRATION, webhooks=webhooks)
    async with opened(integration, environ, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=TOKEN, public_url="https://hooks.example.test", with_schedule=False)
        async with service.running():
            yield Served(found, service, shopify, credo)


# --- what is answered ---


def test_challenge_of_one_who_knows_the_word_is_the_answer() -> None:
    assert Handshake(SCHEME, [WORD]).answer(urlencode(RIGHT)) == "1158201444"
    assert Handshake(SCHEME, [WORD]).answer(urlencode({**RIGHT, "hub.other": "x"})) == "1158201444"


def test_any_of_several_words_counts() -> None:
    """One replaces the other: both stand in the variable for a while."""
    assert Handshake(SCHEME, [f"new {WORD}"]).answer(urlencode(RIGHT)) == "1158201444"


def test_scheme_without_a_mode_asks_for_none() -> None:
    scheme = SignatureScheme(header="X", handshake_challenge="c", handshake_word="w")
    assert Handshake(scheme, [WORD]).answer(f"w={WORD}&c=a%20b") == "a b"


@pytest.mark.parametrize(
    "query",
    [
        "",
        urlencode({**RIGHT, "hub.verify_token": ""}),
        urlencode({**RIGHT, "hub.verify_token": WORD + "x"}),
        urlencode({**RIGHT, "hub.verify_token": WORD.upper()}),
        urlencode({**RIGHT, "hub.verify_token": "é"}),
        urlencode({**RIGHT, "hub.mode": "unsubscribe"}),
        urlencode({name: value for name, value in RIGHT.items() if name != "hub.mode"}),
        urlencode({name: value for name, value in RIGHT.items() if name != "hub.verify_token"}),
        urlencode({name: value for name, value in RIGHT.items() if name != "hub.challenge"}),
        urlencode([*RIGHT.items(), ("hub.verify_token", "other")]),
        urlencode([*RIGHT.items(), ("hub.challenge", "other")]),
        urlencode({**RIGHT, "hub.challenge": ""}),
        urlencode({**RIGHT, "hub.challenge": "x" * (MAX_CHALLENGE + 1)}),
        urlencode({**RIGHT, "hub.challenge": "a\r\nSet-Cookie: b"}),
        urlencode({**RIGHT, "hub.challenge": "a\0b"}),
        urlencode({**RIGHT, "hub.challenge": "ｅ"}),
        urlencode(RIGHT).replace("1158201444", "%ff"),
        "&".join(["a=1"] * 101) + "&" + urlencode(RIGHT),
    ],
)
def test_everything_else_is_refused(query: str) -> None:
    with pytest.raises(Refused) as caught:
        Handshake(SCHEME, [WORD]).answer(query)
    assert WORD not in str(caught.value)


@pytest.mark.parametrize("word", ["", "  \n"])
def test_empty_word_refuses_to_start(word: str) -> None:
    """Anybody would know it."""
    with pytest.raises(SettingsError, match="empty"):
        Handshake(SCHEME, [word])


# --- over HTTP ---


async def test_handshake_over_http_is_text_and_nothing_else(tmp_path: Path) -> None:
    """A browser that is sent here runs none of it, and no cache keeps it."""
    async with serving(tmp_path, WEBHOOK) as served:
        script = "<script>alert(1)</script>"
        answer = await served.http.get("/webhooks/customers", params={**RIGHT, "hub.challenge": script})
        assert (answer.status_code, answer.text) == (200, script)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert await served.settled() == {}


async def test_handshake_of_one_who_does_not_know_the_word_is_403(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its text, and without the word in the log, the given or the right one."""
    caplog.set_level(logging.DEBUG, "runtime")
    async with serving(tmp_path, WEBHOOK) as served:
        for wrong in ({**RIGHT, "hub.verify_token": "guess-planted"}, {}, {**RIGHT, "hub.mode": "other-planted"}):
            answer = await served.http.get("/webhooks/customers", params=wrong)
            assert (answer.status_code, answer.json()) == (403, {"error": "not proved"})
        assert (await served.http.get("/webhooks/unknown", params=RIGHT)).status_code == 404
        assert (await served.http.head("/webhooks/customers", params=RIGHT)).status_code == 405
        assert (await served.http.put("/webhooks/customers", params=RIGHT)).status_code == 405
    assert "does not know the word" in caplog.text
    assert "planted" not in caplog.text


async def test_word_of_a_handshake_proves_no_delivery(tmp_path: Path) -> None:
    async with serving(tmp_path, WEBHOOK) as served:
        assert (await deliver(served, "/webhooks/customers", {"entry": []}, secret=WORD)).status_code == 401
        assert (await deliver(served, "/webhooks/customers", {"entry": []})).status_code == 200


async def test_get_is_no_method_of_a_webhook_without_a_word(tmp_path: Path) -> None:
    """Also beside one that has a word."""
    other = replace(META, topics=("others",))
    async with serving(tmp_path, other) as served:
        assert (await served.http.get("/webhooks/others", params=RIGHT)).status_code == 405
    async with serving(tmp_path, WEBHOOK, other) as served:
        assert (await served.http.get("/webhooks/others", params=RIGHT)).status_code == 405
        assert (await served.http.get("/webhooks/customers", params=RIGHT)).status_code == 200


# --- the word ---


def test_word_in_a_file_is_replaced_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "word"
    file.write_text(WORD)
    environ = {name: value for name, value in WITH_WORD.items() if name != "META_WORD"}
    integration = replace(INTEGRATION, webhooks=(WEBHOOK,))
    secrets = Secrets(WEBHOOK, resolve_settings(integration, {**environ, "META_WORD_FILE": str(file)}))

    def knows(word: str, now: float) -> bool:
        handshake = secrets.handshake(now)
        assert handshake is not None
        try:
            return bool(handshake.answer(urlencode({**RIGHT, "hub.verify_token": word})))
        except Refused:
            return False

    assert knows(WORD, 0.0)
    file.write_text("newer-planted")
    os.utime(file, (1, 1))
    assert knows("newer-planted", 6.0)
    assert not knows(WORD, 6.0)
    file.write_text("")
    os.utime(file, (2, 2))
    assert knows("newer-planted", 12.0)
    assert "planted" not in caplog.text


async def test_service_without_the_word_does_not_start_and_doctor_says_so(tmp_path: Path) -> None:
    environ = {name: value for name, value in WITH_WORD.items() if name != "META_WORD"}
    environ["DATABASE_URL"] = f"sqlite:///{tmp_path / 's.db'}"
    integration = replace(INTEGRATION, webhooks=(WEBHOOK,))
    checks = await examine(integration, environ, offline=True)
    [check] = [each for each in checks if each.name == "webhook customers"]
    assert not check.is_ok
    assert "META_WORD" in check.text
    with pytest.raises(SettingsError, match="META_WORD"):
        Secrets(WEBHOOK, resolve_settings(integration, environ))
